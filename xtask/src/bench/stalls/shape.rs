//! The shapes of server that are looked at: how each waits for connections and accepts them. It starts none.

use super::super::servers::{Bench, Program};
use crate::Result;

/// One, by its name and what it does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub name: &'static str,
    pub what: &'static str,
    /// The program; `None` where what runs it is not installed.
    pub program: fn(&Bench) -> Result<Option<Program>>,
}

pub(super) const SHAPES: &[Shape] = &[
    Shape {
        name: "level",
        what: "C, epoll level-triggered, one accept a wake-up",
        program: |bench| Ok(Some(bench.c("epoll_server")?.with_env("ONE=1"))),
    },
    Shape {
        name: "greedy",
        what: "C, epoll level-triggered, accepts until none is left",
        program: |bench| Ok(Some(bench.c("epoll_server")?)),
    },
    Shape {
        name: "edge",
        what: "C, epoll edge-triggered, accepts until none is left",
        program: |bench| Ok(Some(bench.app("c/epoll")?.with_env("ET=1"))),
    },
    Shape {
        name: "threads",
        what: "C, four threads that block in accept()",
        program: |bench| Ok(Some(bench.app("c/threads")?)),
    },
    Shape {
        name: "mutex",
        what: "C, two forked children that take turns to accept, by a lock",
        program: |bench| Ok(Some(bench.app("c/prefork")?.with_env("LOCK=1"))),
    },
    Shape { name: "node", what: "Node http (libuv)", program: |bench| Ok(bench.node("server.js")) },
    Shape {
        name: "asyncio",
        what: "Python asyncio",
        program: |bench| Ok(bench.script("python3", "python/aio.py")),
    },
];

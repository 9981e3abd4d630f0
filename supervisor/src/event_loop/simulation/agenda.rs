//! What is to happen when, in virtual time: nothing happens between two of these deeds. Of two that are due at the same moment the one that
//! was put down first comes first.

use super::operator::Order;
use nix::sys::signal::Signal;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Something that happens outside the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deed {
    /// A process goes on with its start.
    Boot(u32),
    /// The thread of a process, which was woken, gets a processor.
    Run(u32),
    /// It has done what it was away from its wait for.
    Return(u32),
    /// A process has answered this connection.
    Answer(u32, usize),
    /// It ends, by this signal or by its own doing.
    End(u32, Option<Signal>, i32),
    /// It asks again for what it did not get.
    AskAgain(u32),
    /// A client connects.
    Connect,
    /// Something goes wrong, somewhere.
    Trouble,
    /// The operator gives an order.
    Operate(Order),
    /// A run of a hook ends, and fails or not.
    Hook(u64, bool),
    /// What was asked off the loop is answered.
    Report,
}

/// All that is to happen.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    deeds: BinaryHeap<Reverse<(Instant, u64, Deed)>>,
    count: u64,
}

impl Agenda {
    pub(super) fn put(&mut self, at: Instant, deed: Deed) {
        self.count += 1;
        self.deeds.push(Reverse((at, self.count, deed)));
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.deeds.peek().map(|Reverse((at, _, _))| *at)
    }

    pub(super) fn take(&mut self) -> Option<(Instant, Deed)> {
        self.deeds.pop().map(|Reverse((at, _, deed))| (at, deed))
    }
}

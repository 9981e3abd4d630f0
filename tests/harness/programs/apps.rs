//! The table of test programs: how each is started and what it can do beyond the common contract.

use crate::programs::places::{app_dir, c_program, interpreter, require, rust_program};
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct App {
    pub name: &'static str,
    /// The command that must be installed, or nothing.
    pub runtime: Option<&'static str>,
    /// File in apps/, or the name of the compiled program.
    program: Program,
    pub env: &'static [(&'static str, &'static str)],
    /// Writes a line as soon as it has accepted.
    pub greets: bool,
    /// Knows /close-listener and /listen-again.
    pub relistens: bool,
    /// Can listen on a unix socket.
    pub unix: bool,
    /// Binds an abstract name as it is given: Node 20 fills it up with zeros to the longest possible.
    pub abstract_names: bool,
    /// Serves one connection to its end before it accepts the next.
    pub one_at_a_time: bool,
    /// A slow answer holds up all others.
    pub slow_blocks: bool,
}

#[derive(Clone, Copy, Debug)]
enum Program {
    Script(&'static str),
    C(&'static str),
    Rust(&'static str),
}

const PLAIN: App = App {
    name: "",
    runtime: None,
    program: Program::Script(""),
    env: &[],
    greets: false,
    relistens: false,
    unix: true,
    abstract_names: true,
    one_at_a_time: false,
    slow_blocks: false,
};

const fn node(name: &'static str, file: &'static str) -> App {
    App {
        name,
        runtime: Some("node"),
        program: Program::Script(file),
        relistens: true,
        abstract_names: false,
        ..PLAIN
    }
}

const fn python(name: &'static str, file: &'static str) -> App {
    App { name, runtime: Some("python3"), program: Program::Script(file), ..PLAIN }
}

const fn c(name: &'static str, file: &'static str) -> App {
    App { name, runtime: Some("cc"), program: Program::C(file), slow_blocks: true, ..PLAIN }
}

const fn rust(name: &'static str, file: &'static str) -> App {
    App { name, program: Program::Rust(file), ..PLAIN }
}

/// Every program.
pub const TABLE: &[App] = &[
    node("node-http", "node/http.js"),
    node("node-net", "node/net.js"),
    App { greets: true, ..node("node-hello-first", "node/hello_first.js") },
    App { relistens: true, ..python("python-asyncio", "python/aio.py") },
    python("python-threads", "python/threads.py"),
    App { one_at_a_time: true, slow_blocks: true, ..python("python-blocking", "python/blocking.py") },
    App { one_at_a_time: true, slow_blocks: true, ..python("python-select", "python/select_accept.py") },
    rust("rust-std", "app-std"),
    App { slow_blocks: true, unix: false, abstract_names: false, ..rust("rust-mio", "app-mio") },
    rust("rust-tokio", "app-tokio"),
    App { relistens: true, ..c("c-epoll", "epoll") },
    App { relistens: true, env: &[("ET", "1")], ..c("c-epoll-et", "epoll") },
    App { relistens: true, ..c("c-poll", "poll") },
    App { one_at_a_time: true, ..c("c-select-block", "select_block") },
];

impl App {
    /// The command line, with the scripts taken from `root` (apps/ or a copy of it).
    pub fn command(&self, root: &Path) -> Vec<OsString> {
        match self.program {
            Program::Script(file) => {
                vec![interpreter(self.runtime.expect("a script has one")), root.join(file).into()]
            }
            Program::C(file) => vec![c_program(file, &[]).into()],
            Program::Rust(name) => vec![rust_program(name).into()],
        }
    }

    pub fn default_command(&self) -> Vec<OsString> {
        self.command(&app_dir())
    }
}

/// The row of that name, if its runtime is installed (otherwise the reason has been printed).
pub fn app(name: &str) -> Option<App> {
    let found = TABLE.iter().find(|app| app.name == name);
    let app = found.unwrap_or_else(|| panic!("no test program is called {name}"));
    app.runtime.is_none_or(require).then_some(*app)
}

/// The rows whose runtime is installed and that satisfy the condition.
pub fn apps(condition: impl Fn(&App) -> bool) -> Vec<App> {
    TABLE.iter().filter(|row| condition(row)).filter_map(|row| app(row.name)).collect()
}

/// Runs the check with every such program, then fails with the names of all for which it failed.
#[track_caller]
pub fn each(condition: impl Fn(&App) -> bool, check: impl Fn(App)) {
    let failed = |app: &App| {
        let result = catch_unwind(AssertUnwindSafe(|| check(*app)));
        result.is_err().then(|| eprintln!("---- that was {}", app.name)).is_some()
    };
    let failures: Vec<_> = apps(condition).into_iter().filter(failed).map(|app| app.name).collect();
    assert!(failures.is_empty(), "failed with: {}", failures.join(", "));
}

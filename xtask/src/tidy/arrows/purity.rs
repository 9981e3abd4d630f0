//! The rule that the core names no clock, no thread, no file, no socket and no system call.

use crate::tidy::Fault;
use crate::tidy::reading::code;
use crate::tidy::reading::tree::Tree;

const NAMES: [&str; 9] = [
    "Instant::now",
    "SystemTime",
    "thread::sleep",
    "std::thread",
    "std::fs",
    "std::net",
    "std::io",
    "std::process",
    "libc",
];

pub(in crate::tidy) fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in tree.module("supervisor/src/pool/") {
        for name in NAMES {
            for (_, line) in code::words(&source.shipped, name) {
                faults.push(source.fault(line, format!("`{name}` in the pure core")));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::sample::{NONE, faults, lines};

    const POOL: &str = "supervisor/src/pool/worker.rs";

    #[test]
    fn each_name_is_found() {
        for name in
            ["Instant::now()", "SystemTime::now()", "thread::sleep(d)", "std::fs::read(p)", "libc::pid_t"]
        {
            assert!(!lines(check, POOL, &format!("fn f() {{\n    {name};\n}}\n")).is_empty(), "{name}");
        }
        assert_eq!(lines(check, POOL, "use std::net::IpAddr;\n"), [1]);
    }

    #[test]
    fn talk_tests_and_other_modules_are_free() {
        assert_eq!(lines(check, POOL, "//! No Instant::now.\nuse std::time::Instant;\n"), NONE);
        assert_eq!(
            lines(check, POOL, "#[cfg(test)]\nmod tests {\n    fn t() { Instant::now(); }\n}\n"),
            NONE
        );
        let elsewhere = [
            ("supervisor/src/pool/mod.rs", "#[cfg(test)]\nmod sim;\n"),
            ("supervisor/src/pool/sim.rs", "fn start() { Instant::now(); }\n"),
            ("supervisor/src/event_loop.rs", "fn now() { Instant::now(); }\n"),
        ];
        assert_eq!(faults(check, &elsewhere), []);
    }
}

//! The rule against stubs, forgotten helpers and ignored tests, and against printing past the log.

use crate::tidy::Fault;
use crate::tidy::reading::code;
use crate::tidy::reading::tree::Tree;

const MARKS: [&str; 4] = ["todo!", "unimplemented!", "dbg!", "#[ignore"];
const PRINTS: [&str; 2] = ["eprintln!", "eprint!"];

pub(in crate::tidy) fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in tree.rust() {
        for mark in MARKS {
            let found = code::words(&source.code, mark);
            faults.extend(found.iter().map(|(_, line)| source.fault(*line, format!("`{mark}`"))));
        }
    }
    for source in tree.module("supervisor/src/").filter(|source| !may_print(&source.path)) {
        for print in PRINTS {
            let found = code::words(&source.code, print);
            faults.extend(
                found.iter().map(|(_, line)| source.fault(*line, format!("`{print}` outside main and cli"))),
            );
        }
    }
    faults
}

/// Before the loop runs, and after it.
fn may_print(path: &str) -> bool {
    let inside = path.trim_start_matches("supervisor/src/");
    inside == "main.rs" || inside == "cli.rs" || inside.starts_with("cli/")
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::sample::{NONE, lines};

    #[test]
    fn marks_are_found() {
        for mark in ["todo!()", "unimplemented!(\"x\")", "dbg!(x)", "#[ignore]", "#[ignore = \"slow\"]"] {
            assert_eq!(lines(check, "tests/a.rs", &format!("\n{mark}\n")), [2], "{mark}");
        }
        assert_eq!(lines(check, "a.rs", "// todo!()\n\"dbg!\";\n"), NONE);
    }

    #[test]
    fn printing_is_for_the_command_line() {
        let print = "fn f() { eprintln!(); }\n";
        assert_eq!(lines(check, "supervisor/src/io/lanes/lane.rs", print), [1]);
        assert_eq!(lines(check, "supervisor/src/cli/mod.rs", print), NONE);
        assert_eq!(lines(check, "supervisor/src/main.rs", print), NONE);
        assert_eq!(lines(check, "tests/harness/lib.rs", print), NONE);
    }
}

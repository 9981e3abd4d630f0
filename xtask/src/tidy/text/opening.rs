//! The rule that every Rust file says first what it is.

use crate::tidy::Fault;
use crate::tidy::reading::tree::Tree;

pub(in crate::tidy) fn check(tree: &Tree) -> Vec<Fault> {
    let silent = tree.rust().filter(|source| !source.text.starts_with("//!"));
    silent.map(|source| source.fault(1, "does not open with `//!`")).collect()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::sample::{NONE, lines};

    #[test]
    fn the_first_line_counts() {
        assert_eq!(lines(check, "a.rs", "//! What it is.\n"), NONE);
        assert_eq!(lines(check, "a.rs", "use std::io;\n//! Late.\n"), [1]);
        assert_eq!(lines(check, "a.rs", "// Plain.\n"), [1]);
        assert_eq!(lines(check, "a.c", "int x;\n"), NONE);
    }
}

//! `cargo xtask tidy`: the rules of this repository that no compiler knows, each with its reason. A rule reads the
//! tree in memory and names places; it changes nothing.

mod arrows;
mod reading;
mod text;

use crate::{Result, complain, project, say};
use reading::tree::Tree;
use std::process::ExitCode;

/// A place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    /// Relative to the root.
    path: String,
    /// From 1.
    line: usize,
    what: String,
}

/// A rule, by its name, the reason for having it, and the check.
struct Rule {
    name: &'static str,
    reason: &'static str,
    check: fn(&Tree) -> Vec<Fault>,
}

const RULES: &[Rule] = &[
    Rule {
        name: "every Rust file opens with `//!`",
        reason: "one to three sentences on what it is and what it never does are what a reader needs first",
        check: text::opening::check,
    },
    Rule {
        name: "no file over 500 lines",
        reason: "a longer file holds more than one noun",
        check: text::size::check,
    },
    Rule {
        name: "unsafe is argued for directly above",
        reason: "the argument must be seen together with what it allows; clippy does not look at `unsafe fn` and `unsafe impl`",
        check: text::safety::check,
    },
    Rule {
        name: "the core is pure",
        reason: "time, sockets and threads in pool/ would end its tests with a virtual clock",
        check: arrows::purity::check,
    },
    Rule {
        name: "dependencies point one way",
        reason: "the core decides, io/ carries out; an arrow back makes them one thing",
        check: arrows::direction::check,
    },
    Rule {
        name: "no circles",
        reason: "of two modules that need each other neither can be understood, tested or moved alone",
        check: arrows::circles::check,
    },
    Rule {
        name: "the rooms of event_loop/, io/, pool/ and settings/ stand in an order",
        reason: "what is below can be read, tested and changed without what is above",
        check: arrows::rooms::check,
    },
    Rule {
        name: "some packages depend on little",
        reason: "the thunk lives in foreign processes without a libc of its own; tests and tools start programs from outside",
        check: arrows::manifest::check,
    },
    Rule {
        name: "nothing unfinished, nothing printed past the log",
        reason: "a stub reads like a feature, an ignored test like a passing one; a write to stderr can stall the loop",
        check: text::unfinished::check,
    },
    Rule {
        name: "no words of the workplace",
        reason: "the project's text is about the project",
        check: text::words::check,
    },
];

pub(crate) fn main(args: &[String]) -> Result<ExitCode> {
    if !args.is_empty() {
        return Err("usage: cargo xtask tidy".into());
    }
    let tree = Tree::read(&project::root())?;
    let mut found = 0;
    for rule in RULES {
        let faults = (rule.check)(&tree);
        if !faults.is_empty() {
            complain(&format!("{}: {}", rule.name, rule.reason));
        }
        for fault in &faults {
            complain(&format!("  {}:{}: {}", fault.path, fault.line, fault.what));
        }
        found += faults.len();
    }
    if found > 0 {
        complain(&format!("tidy: {found} to mend"));
        return Ok(ExitCode::FAILURE);
    }
    say(&format!("tidy: {} files keep {} rules", tree.sources.len(), RULES.len()));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod sample {
    use super::{Fault, reading::tree::Tree};

    /// The lines at which a tree of these files breaks a rule.
    pub(super) fn faults(check: fn(&Tree) -> Vec<Fault>, files: &[(&str, &str)]) -> Vec<(String, usize)> {
        check(&Tree::of(files)).into_iter().map(|fault| (fault.path, fault.line)).collect()
    }

    /// No line: an empty array by itself would not say of what.
    pub(super) const NONE: [usize; 0] = [];

    /// The same for one file, by line alone.
    pub(super) fn lines(check: fn(&Tree) -> Vec<Fault>, path: &str, text: &str) -> Vec<usize> {
        faults(check, &[(path, text)]).into_iter().map(|(_, line)| line).collect()
    }
}

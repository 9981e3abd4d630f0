//! How well the kernel can be made to keep flows at their workers: by a table of flows, by a hash over the live, or by its own hash. Which
//! of these it is, and why, is found out by trying.

use super::program::Program;
use crate::io::steering::level::{self as tcp, VARIABLE};
use std::fmt;

/// What chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// An eBPF program with a table of flows: known ones stay, new ones go to the live.
    Program,
    /// Classic BPF: a hash over the live, attached anew at each change.
    Classic,
    /// Nothing of ours: the kernel's hash over all sockets of the address.
    Kernel,
}

impl Level {
    /// As `status` shows it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Program => "flow:program",
            Self::Classic => "flow:hash",
            Self::Kernel => "flow:kernel",
        }
    }

    /// What it means.
    const fn meaning(self) -> &'static str {
        match self {
            Self::Program => "an eBPF program keeps each flow at its worker",
            Self::Classic => {
                "classic BPF chooses a worker by a hash of the flow, so that flows move to others whenever workers come or go"
            }
            Self::Kernel => {
                "the kernel chooses a worker by its hash of the flow, so that flows move to others whenever workers come or \
                 go, and a worker that drains is given new ones until it ends"
            }
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The best that can be had before a socket has been tried, and why it is no better.
#[derive(Debug)]
pub(crate) struct Best {
    pub(crate) level: Level,
    pub(crate) reason: String,
    pub(super) program: Option<Program>,
}

impl Best {
    /// Tries. Where a level is forced, none better is tried.
    pub(crate) fn find() -> Self {
        Self::at_most(tcp::forced())
    }

    fn at_most(forced: Option<tcp::Level>) -> Self {
        let by_force = |level| Self::without(level, &format!("{VARIABLE} says so"));
        match forced {
            Some(tcp::Level::Classic) => return by_force(Level::Classic),
            Some(tcp::Level::Shared) => return by_force(Level::Kernel),
            Some(tcp::Level::Program) | None => {}
        }
        match Program::load() {
            Ok(program) => {
                let reason = Level::Program.meaning().to_owned();
                Self { level: Level::Program, reason, program: Some(program) }
            }
            Err(error) => Self::without(Level::Classic, &tcp::without_program(&error)),
        }
    }

    fn without(level: Level, why: &str) -> Self {
        Self { level, reason: reason(level, why), program: None }
    }
}

/// Why a level is not better than it is.
pub(super) fn reason(level: Level, why: &str) -> String {
    format!("{}: {why}", level.meaning())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forced_is_not_exceeded_and_it_is_said_that_flows_move() {
        for (forced, level) in [(tcp::Level::Classic, Level::Classic), (tcp::Level::Shared, Level::Kernel)] {
            let best = Best::at_most(Some(forced));
            assert_eq!(best.level, level);
            assert!(best.program.is_none() && best.reason.contains(VARIABLE), "{best:?}");
            assert!(best.reason.contains("flows move"), "{best:?}");
        }
    }
}

//! How well the kernel can be made to choose: by a program of ours, at random, or not at all. Which of these it is, and why, is found out by
//! trying.

use super::program::Program;
use std::fmt;
use std::io;
use std::str::FromStr;

/// From this variable of the supervisor's the tests take a level; nobody else has a use for less than there is.
pub(in crate::io) const VARIABLE: &str = "CLUSTERMON_STEERING";
/// `net.ipv4.tcp_migrate_req`: the queue of a socket that closes moves even without a program, to any member.
const MIGRATE_REQ: &str = "/proc/sys/net/ipv4/tcp_migrate_req";

/// What chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// An eBPF program: exact rotation over the live, changed by one store.
    Program,
    /// Classic BPF: a random one of the live, attached anew at each change.
    Classic,
    /// Nothing: the workers have one socket together.
    Shared,
}

impl Level {
    /// As `status` shows it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Program => "kernel:program",
            Self::Classic => "kernel:random",
            Self::Shared => "kernel:shared",
        }
    }

    /// What it means.
    const fn meaning(self) -> &'static str {
        match self {
            Self::Program => "an eBPF program rotates over the workers",
            Self::Classic => "classic BPF chooses a worker at random",
            Self::Shared => "the workers share one socket, and the kernel wakes whom it likes",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let all = [Self::Program, Self::Classic, Self::Shared];
        all.into_iter().find(|level| level.name().strip_prefix("kernel:") == Some(text)).ok_or(())
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
        Self::at_most(forced())
    }

    /// The same where the kernel puts no socket of this kind into a map: the program could choose none.
    pub(super) fn without_map(self) -> Self {
        if self.level != Level::Program {
            return self;
        }
        let why = "an eBPF program cannot choose sockets of MPTCP; Go programs listen by plain TCP with GODEBUG=multipathtcp=0";
        Self { level: Level::Classic, reason: reason(Level::Classic, why), program: None }
    }

    fn at_most(forced: Option<Level>) -> Self {
        if let Some(level @ (Level::Classic | Level::Shared)) = forced {
            return Self { level, reason: reason(level, &format!("{VARIABLE} says so")), program: None };
        }
        match Program::load() {
            Ok(program) => {
                let what = Level::Program.meaning();
                let note = if program.migrates() { "" } else { "; the kernel moves no queue (before 5.14)" };
                Self { level: Level::Program, reason: format!("{what}{note}"), program: Some(program) }
            }
            Err(error) => {
                let why = without_program(&error);
                Self { level: Level::Classic, reason: reason(Level::Classic, &why), program: None }
            }
        }
    }
}

/// The level that the tests ask for.
pub(in crate::io) fn forced() -> Option<Level> {
    std::env::var(VARIABLE).ok()?.parse().ok()
}

/// Why a level is not better than it is.
pub(super) fn reason(level: Level, why: &str) -> String {
    format!("{}: {why}", level.meaning())
}

pub(in crate::io) fn without_program(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM) => format!("an eBPF program needs CAP_BPF ({error})"),
        _ => format!("the kernel takes no eBPF program ({error})"),
    }
}

/// Whether the kernel moves the queue of a socket that closes without being told where.
pub(super) fn moves_by_itself() -> bool {
    std::fs::read(MIGRATE_REQ).is_ok_and(|text| text.trim_ascii() == b"1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_read_as_it_is_shown() {
        for level in [Level::Program, Level::Classic, Level::Shared] {
            let text = level.to_string();
            assert_eq!(text.trim_start_matches("kernel:").parse(), Ok(level));
        }
        assert_eq!("best".parse::<Level>(), Err(()));
    }

    #[test]
    fn what_is_forced_is_not_exceeded() {
        for level in [Level::Classic, Level::Shared] {
            let best = Best::at_most(Some(level));
            assert_eq!(best.level, level);
            assert!(best.program.is_none() && best.reason.contains(VARIABLE), "{best:?}");
        }
        let better = Best { level: Level::Program, reason: String::new(), program: None };
        let best = better.without_map();
        assert!(best.level == Level::Classic && best.reason.contains("MPTCP"), "{best:?}");
        assert_eq!(Best::at_most(Some(Level::Shared)).without_map().level, Level::Shared);
        assert!(without_program(&io::Error::from_raw_os_error(libc::EPERM)).contains("CAP_BPF"));
    }
}

//! Why a process of a worker ended, or why a worker gets no connections: one cause each, as a word for programs and a
//! sentence for people.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cause {
    pub kind: CauseKind,
    /// For people, such as `hung for 31.0s, waiting for a lock`.
    pub text: String,
}

/// What kind of cause it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CauseKind {
    /// The program ended by itself, with a code.
    ExitCode,
    /// A signal that nobody here has sent ended it.
    Signal,
    /// The kernel ended it for want of memory.
    OomKiller,
    /// It was not ready within `start_timeout`.
    StartTimeout,
    /// No process came of the try to start one.
    SpawnFailed,
    /// What it wants to listen on is somebody else's.
    PortTaken,
    /// It hung.
    Hung,
    /// It fell silent, said that it is unwell, or was found so by the program that runs the cluster.
    Unwell,
    /// Its event loop was busy for longer than `lag_limit`.
    Lag,
    /// It took none of what waited for it for longer than `lag_limit`.
    Stuck,
    /// It says that it is about to end.
    Resigned,
    /// Somebody has taken it out of rotation.
    Cordoned,
    /// It held more memory than it may.
    Memory,
    /// It had lived for as long as it may.
    Lifetime,
    /// It had been given as many connections as it may.
    Connections,
    /// Another has taken its place in a reload.
    Reload,
    /// Its restarts are spent.
    Budget,
    /// Somebody told it to end, or the cluster stops.
    Commanded,
}

impl CauseKind {
    /// The word for it in JSON, and as a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExitCode => "exit_code",
            Self::Signal => "signal",
            Self::OomKiller => "oom_killer",
            Self::StartTimeout => "start_timeout",
            Self::SpawnFailed => "spawn_failed",
            Self::PortTaken => "port_taken",
            Self::Hung => "hung",
            Self::Unwell => "unwell",
            Self::Lag => "lag",
            Self::Stuck => "stuck",
            Self::Resigned => "resigned",
            Self::Cordoned => "cordoned",
            Self::Memory => "memory",
            Self::Lifetime => "lifetime",
            Self::Connections => "connections",
            Self::Reload => "reload",
            Self::Budget => "budget",
            Self::Commanded => "commanded",
        }
    }
}

impl Cause {
    pub(crate) fn new(kind: CauseKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_the_one_of_the_json() {
        for kind in [CauseKind::ExitCode, CauseKind::OomKiller, CauseKind::PortTaken, CauseKind::Budget] {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("{:?}", kind.as_str()));
        }
    }
}

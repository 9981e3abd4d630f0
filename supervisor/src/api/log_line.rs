//! A line that a worker or the supervisor has written, as it is kept and shown later. Nothing here writes.

use serde::{Deserialize, Serialize};

/// Where a line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LogStream {
    Stdout,
    Stderr,
    /// The log of the supervisor itself.
    Log,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogLine {
    /// When it was read or written, in milliseconds since the Unix epoch.
    pub at: u64,
    /// The logical id of the worker; `None` for a line of the supervisor's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    pub stream: LogStream,
    /// Without the end of the line; at most 4 KiB of it.
    pub text: String,
}

/// The last lines of a cluster, as far as they are kept in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Logs {
    /// The oldest first.
    pub lines: Vec<LogLine>,
    /// What workers write is read by the supervisor, so that their lines are among these. Else they inherit its streams.
    pub captured: bool,
}

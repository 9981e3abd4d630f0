//! What a cluster can be told, and what it answers.

use super::difference::{Difference, Variables};
use super::inspection::Inspection;
use super::log_line::Logs;
use serde::{Deserialize, Serialize};

/// Whom a command is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// All workers; for `stop` the cluster itself.
    Cluster,
    /// The worker with this logical id.
    Worker(String),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// Answer with an `Inspection`.
    Inspect,
    /// Run; a pending restart happens now.
    Start { target: Target },
    /// Stop and stay stopped.
    Stop { target: Target },
    /// Stop and start again.
    Restart { target: Target },
    /// SIGHUP: the program reloads itself, or dies and is restarted.
    HangUp { target: Target },
    /// SIGKILL.
    ForceStop { target: Target },
    /// SIGABRT: a core dump where the system keeps them.
    Dump { target: Target },
    /// SIGUSR1 (Node opens its debugger), and no kill while somebody debugs.
    Debug { target: Target },
    /// Any signal, by number.
    Signal { target: Target, signal: i32 },
    /// Out of rotation.
    Cordon { target: Target },
    /// Into rotation.
    Uncordon { target: Target },
    /// A new process for every worker, without a gap.
    Reload,
    /// The reload that is under way ends: successors go, the old processes go on.
    AbortReload,
    /// Open the file of the log anew.
    Reopen,
    /// Empty the file of the log, and forget the last lines that are kept in memory. Files that were moved away stay.
    Flush,
    /// So many workers.
    Scale { workers: ScaleTo },
    /// Another command line from behind `run`, and other variables of the workers, for a cluster that was made of a command line. With
    /// `check` nothing is changed, and the answer is `Differences`. Else what takes nothing is in force at once, what takes new processes
    /// by a reload, and if that fails all is as before; what takes a new supervisor stays as it is.
    Configure {
        arguments: Vec<String>,
        variables: Variables,
        #[serde(default)]
        check: bool,
    },
    /// Follow what happens: every `Event` from now on.
    Events,
    /// Answer with `Logs`: the last so many lines that were written, of a worker or of all and the supervisor; and if `follow` is
    /// set, which a control socket alone can do, go on with an `Event::Line` for each that comes.
    Logs {
        target: Target,
        lines: u32,
        #[serde(default)]
        follow: bool,
    },
}

/// A time to wait, in milliseconds, that is none: however long it takes.
pub const NO_LIMIT: u64 = u64::MAX;

/// A number of workers, or a change of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScaleTo {
    To(u32),
    By(i32),
}

/// An action, and whether to answer at once or when it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    #[serde(flatten)]
    pub action: Action,
    /// Answer when what was asked for is so, or after this many milliseconds with `Failure::TimedOut`; with [`NO_LIMIT`]
    /// never before it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reply {
    Done,
    /// The same, and what was done, in a line for people.
    Told(String),
    Inspection(Inspection),
    Logs(Logs),
    /// What is another way; nothing was changed.
    Differences(Vec<Difference>),
}

/// Why a command was not carried out, or not yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    #[error("no worker {id}; there are {known}")]
    NoSuchWorker { id: String, known: String },
    #[error("still under way after {waited_ms} ms: {what}")]
    TimedOut { waited_ms: u64, what: String },
    #[error("{what}")]
    Refused { what: String },
    /// `stderr` is what the process that came to nothing wrote there last: up to 20 lines.
    #[error("{what}")]
    ReloadFailed { what: String, stderr: Vec<String> },
    #[error("the cluster is not running")]
    NotRunning,
}

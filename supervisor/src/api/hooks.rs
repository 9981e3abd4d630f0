//! How the commands of a cluster's hooks are doing. Times are milliseconds since the Unix epoch.

use serde::{Deserialize, Serialize};

/// What has come of them since the supervisor started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HookReport {
    /// Runs that ended well.
    pub done: u64,
    /// Runs that did not.
    pub failed: u64,
    /// Events for which a command was not run, because too many runs of it waited.
    pub dropped: u64,
    /// Runs that wait or go on.
    pub under_way: usize,
    /// What is held up until a command has allowed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateReport>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<HookFailure>,
}

/// A command that has to allow something, and runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GateReport {
    /// `before_start` or `before_reload`.
    pub hook: String,
    pub command: String,
    pub since: u64,
}

/// A run that did not end well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HookFailure {
    pub at: u64,
    /// The event or gate.
    pub hook: String,
    /// The command and how it ended.
    pub cause: String,
}

/// How far a gate's command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GateState {
    /// What it is for waits.
    Running,
    /// It has allowed it.
    Done,
    /// It has not.
    Failed,
}

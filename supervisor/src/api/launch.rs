//! What a cluster runs, where, and where it writes to: for people who find it running.

use super::scheduled::Scheduled;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The command and its surroundings. A supervisor that does not say so leaves them out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Launch {
    /// The program and its arguments as they were given, the interpreter first where there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Where workers run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The file that the log goes to, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// The file of apps that it is one of, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_file: Option<String>,
    /// Why what is written does not reach the log now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_failure: Option<String>,
    /// Lines that never reached the log since the supervisor started, of workers and of the supervisor: they came faster than they could
    /// be written, or could not be written at all.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub lines_lost: u64,
    /// How listeners come to the cluster: `preload` or `seccomp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intercept: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intercept_reason: Option<String>,
    /// Options of the command line that are not the default, by their long names without `--`, with their values as they were
    /// written; `true` for one that takes none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// The version of the supervisor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The file of the preloaded library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thunk: Option<String>,
    /// The version of what supervisor and library say to each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thunk_protocol: Option<u16>,
    /// The file of the control socket, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// What it does at set times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<Scheduled>,
}

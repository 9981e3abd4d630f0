//! What a cluster runs, where, and where it writes to: for people who find it running.

use serde::{Deserialize, Serialize};

fn is_none(count: &u64) -> bool {
    *count == 0
}

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
    #[serde(default, skip_serializing_if = "is_none")]
    pub lines_lost: u64,
    /// How listeners come to the cluster: `preload` or `seccomp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intercept: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intercept_reason: Option<String>,
}

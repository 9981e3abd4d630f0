//! What a cluster runs, where, and where it writes to: for people who find it running.

use serde::{Deserialize, Serialize};

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
    /// How listeners come to the cluster: `preload` or `seccomp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intercept: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intercept_reason: Option<String>,
}

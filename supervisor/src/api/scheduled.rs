//! What a cluster does at set times, as `--reload-at` and `--restart-at` say.

use serde::{Deserialize, Serialize};

/// One schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Scheduled {
    /// `reload` or `restart`.
    pub what: String,
    /// As it was written: `0 3 * * *`.
    pub schedule: String,
    /// Its next time, in milliseconds since the Unix epoch; none if it never comes.
    pub next_at: Option<u64>,
    /// The same as the supervisor's clock shows it: `2026-12-01 03:00:00 +01:00`.
    pub next_local: Option<String>,
}

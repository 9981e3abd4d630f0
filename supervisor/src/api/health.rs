//! One sample of a worker's health, taken from outside: the worker itself does nothing for it.

use serde::{Deserialize, Serialize};

/// A pulse. Of a worker of several processes, those that serve connections count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Health {
    /// When it was taken, in milliseconds since the Unix epoch.
    pub reported_at: u64,
    /// For how long the least busy serving thread has not looked for new work, in milliseconds.
    pub lag_ms: u64,
    /// The longest such time that was seen since the last pulse.
    pub worst_lag_ms: u64,
    /// Threads that serve connections.
    pub serving_threads: u32,
    /// Waits of the event loops since the last pulse.
    pub loops: u64,
    /// Connections taken since the last pulse.
    pub accepted: u64,
    /// Resident memory, in bytes.
    pub rss: u64,
    /// Processor time since the last pulse, in thousandths of one processor.
    pub cpu_permille: u64,
    /// All threads.
    pub threads: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Connections that wait for the worker.
    pub queued: u32,
    /// For how long nothing of that has been taken, in milliseconds.
    pub queue_age_ms: u64,
}

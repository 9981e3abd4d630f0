//! Why processes are replaced by new ones, and what came of it. Plain data.

use super::exit::Exit;
use crate::ids::{BalancerId, WorkerId};
use std::time::Duration;

/// What a rollout is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Somebody asked, and is told of the end under this number.
    Reload { ticket: u64 },
    /// A reload failed in this way, and those that it had replaced go back.
    Rollback { ticket: u64, failed: Failed },
    /// The process of this slot has served for long enough.
    Replace { slot: u32, reason: RecycleReason },
}

/// Why a process is to be replaced though it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecycleReason {
    /// It has held more than the limit, in bytes, in each of the last samples, and holds so many by this measure.
    Memory { bytes: u64, limit: u64, measure: Measure },
    /// It has lived for so long.
    Lifetime { after: Duration },
    /// It was given so many connections.
    Connections { given: u64 },
}

/// How the memory of a process was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Its own, and its part of what it shares with others.
    Proportional,
    /// Its own, and all that it shares: the other could not be read.
    Resident,
}

/// Why a rollout failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// The new process ended.
    Exited { worker: WorkerId, exit: Exit },
    /// It was not ready in time.
    NotReady { worker: WorkerId, after: Duration },
    /// It hung.
    Hung { worker: WorkerId },
    /// No process came of the order to spawn.
    NotSpawned { worker: WorkerId, error: String },
    /// The new version cannot be run at all.
    Unfit { error: String },
    /// Somebody ended it.
    Aborted,
}

/// How a reload ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reloaded {
    /// So many workers have a new process. On the addresses in `dropped` the old ones listened, and nobody does now.
    Done { workers: u32, dropped: Vec<BalancerId> },
    /// It stopped; so many workers had a new process by then, and have it still unless they were `rolled_back`.
    Failed { failed: Failed, replaced: u32, rolled_back: bool },
    /// A newer one took its place before it was done.
    Superseded,
    /// The cluster stops, or does not run.
    Stopped,
}

/// How many slots have their new process, are getting it, and wait for their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub done: usize,
    pub under_way: usize,
    pub waiting: usize,
    /// Of those that are done, how many have their old process too, which has yet to finish what it has.
    pub draining: usize,
}

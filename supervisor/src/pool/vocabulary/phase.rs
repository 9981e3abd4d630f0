//! Where the cluster is in its life, and how far its stop is while workers still serve: the address stays open for a while, then takes in
//! only what was on its way, and then the workers drain. Plain data.

use super::deadlines::Deadline;
use super::output::Outcome;

/// Where the cluster is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not started.
    Idle,
    /// Every worker is to run.
    Serving,
    /// No worker is to run, some still do.
    Stopping,
    /// At rest for good.
    Done(Outcome),
}

/// How far the stop is, and when it ends at the latest.
#[derive(Clone, Copy, Debug)]
pub(in crate::pool) struct Closing {
    pub(in crate::pool) stage: Stage,
    /// When workers are told to stop, whatever they are at.
    pub(in crate::pool) drain_by: Deadline,
    /// When all that is left is killed.
    pub(in crate::pool) kill_at: Option<Deadline>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Stage {
    /// Everything is as it was until then, for whoever is to notice first.
    Waiting(Deadline),
    /// Nobody new is let in.
    Emptying,
    /// The workers drain.
    Draining,
}

//! How far the stop of a cluster is that still serves, and how long it may take: the address stays open for a while, then takes in only
//! what was on its way, and then the workers drain. Plain data.

use super::Deadline;

/// How far the stop is, and when it ends at the latest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closing {
    pub(super) stage: Stage,
    /// When workers are told to stop, whatever they are at.
    pub(super) drain_by: Deadline,
    /// When all that is left is killed.
    pub(super) kill_at: Option<Deadline>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Everything is as it was until then, for whoever is to notice first.
    Waiting(Deadline),
    /// Nobody new is let in.
    Emptying,
    /// The workers drain.
    Draining,
}

//! How far the stop of a cluster is that still serves, and how long it may take: the address stays open for a while, then takes in only
//! what was on its way, and then the workers drain. Plain data.

use super::{Deadline, Settings};
use std::time::Duration;

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

impl Settings {
    /// From the order to stop the cluster until each worker is told to stop, at the latest: its time to drain, but so that
    /// the stop signal is not the last thing that it hears. Of the time for everything, half at most is for what follows
    /// that signal. `None` where nobody drains.
    pub(crate) fn told_within(&self) -> Option<Duration> {
        let drain = self.drain_delay.saturating_add(self.drain_timeout?);
        let Some(limit) = self.shutdown_timeout else { return Some(drain) };
        let stop = self.stop_timeout.unwrap_or(Duration::MAX).min(limit / 2);
        Some(drain.min(limit.saturating_sub(stop)))
    }
}

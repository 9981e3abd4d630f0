//! What the pool is told once: how many workers, the groups of options that it goes by, and times that nobody chooses. Plain data.

use super::gate::Gates;
use crate::settings::{Balancing, Health, Listeners, Readiness, Recycle, Restart, Rollout, Stop};
#[cfg(test)]
pub(crate) use crate::settings::{Drain, WhenNoWorker};
pub(crate) use crate::settings::{Policy, Settings as Options};
use std::time::Duration;

const BOOT_SLOT: Duration = Duration::from_secs(10);
const STEADY_AFTER: u64 = 1_000;
const LOOK_AFTER: Duration = Duration::from_millis(20);

/// What the core is told once. The groups are those of the command line, so a new option is here as soon as it is in its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Number of workers, at least 1.
    pub workers: u32,
    /// How many workers may be starting (spawned, not yet ready) at a time, at least 1.
    pub max_starting: u32,
    /// Seeds the jitter of delays and limits.
    pub seed: u64,
    /// What begins only once a command of the user's has allowed it.
    pub gates: Gates,
    /// From these, how long a listening socket that failed stays closed.
    pub listeners: Listeners,
    /// Whom a connection is given.
    pub balancing: Balancing,
    /// When a worker is ready.
    pub readiness: Readiness,
    /// How a worker that has ended is started again.
    pub restart: Restart,
    /// How a worker or the cluster is stopped.
    pub stop: Stop,
    /// How a reload replaces processes.
    pub rollout: Rollout,
    /// When a worker that works is replaced. A limit on memory is in bytes here: the core does not know how much there is.
    pub recycle: Recycle,
    /// When a worker is slow, and when it hangs.
    pub health: Health,
    /// A worker counts as starting, for `max_starting`, no longer than this after it was last seen to boot.
    pub boot_slot: Duration,
    /// From the verdict to the kill signal for a worker that hangs.
    pub hang_stop_timeout: Duration,
    /// So many connections in a row make steady traffic.
    pub steady_after: u64,
    /// When what waits in a lane is first looked at.
    pub look_after: Duration,
}

impl Settings {
    /// For so many workers of a cluster with these options.
    pub(crate) fn new(workers: u32, max_starting: u32, options: &Options, seed: u64) -> Self {
        let Options {
            listeners,
            balancing,
            readiness,
            restart,
            stop,
            rollout,
            hook_commands,
            recycle,
            health,
            ..
        } = options.clone();
        let gates = Gates {
            start: hook_commands.before_start.is_some(),
            reload: hook_commands.before_reload.is_some(),
        };
        Self {
            workers,
            max_starting,
            seed,
            hang_stop_timeout: health.stop_timeout(),
            gates,
            listeners,
            balancing,
            readiness,
            restart,
            stop,
            rollout,
            recycle,
            health,
            boot_slot: BOOT_SLOT,
            steady_after: STEADY_AFTER,
            look_after: LOOK_AFTER,
        }
    }

    /// What must be at least 1 is, and what follows from the number of workers at the start is said.
    pub(in crate::pool) fn normalised(mut self) -> Self {
        self.workers = self.workers.max(1);
        self.max_starting = self.max_starting.max(1);
        self.balancing.window = Some(self.balancing.window().max(1));
        self.balancing.max_connections = self.balancing.max_connections.map(|max| max.max(1));
        // Whatever the number becomes.
        self.health.health_max_unavailable = Some(self.health.max_unavailable(self.workers));
        self
    }
}

//! What the pool is told once: limits, times and policies. Plain data.

pub(crate) use crate::settings::{Policy, WhenNoWorker};
use std::time::Duration;

/// What the core is told once.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Number of workers, at least 1.
    pub workers: u32,
    /// How many workers may be starting (spawned, not yet ready) at a time, at least 1.
    pub max_starting: u32,
    /// A worker counts as starting, for `max_starting`, no longer than this after it was last seen to boot.
    pub boot_slot: Duration,
    /// A worker that is not ready within this has failed to start if `ready_explicit` or if any worker has ever listened;
    /// else it counts as running, as it does at once if this is zero.
    pub start_timeout: Duration,
    /// A worker is ready when it listens; else only by `Input::Ready`.
    pub ready_by_lane: bool,
    /// Somebody chose when a worker is ready: one that is not in time has failed.
    pub ready_explicit: bool,
    /// A worker that does not listen is ready so long after its start, if its boot is over by then; `None` is never.
    pub ready_without_listening: Option<Duration>,
    /// Restarts allowed per worker before it stays down; `None` is no limit. Refilled after `min_uptime`.
    pub respawn: Option<u32>,
    /// A worker that exits unasked with one of these codes has done its work and is not restarted.
    pub exit_codes_ok: Vec<i32>,
    /// Go on although no worker has ever been ready and each has died.
    pub keep_trying: bool,
    /// A worker that lived this long is replaced at once and has its budget and delay reset.
    pub min_uptime: Duration,
    /// The first delay after an early death; doubles with each further one.
    pub restart_delay: Duration,
    /// The delay never exceeds this (before jitter).
    pub max_restart_delay: Duration,
    /// From the failure of a balancer's socket to the next try to open it.
    pub server_restart_delay: Duration,
    /// From the stop signal to the kill signal; `None` is for ever.
    pub stop_timeout: Option<Duration>,
    /// How long a worker may drain, out of rotation and at work on what it has, before the stop signal; `None` is not at all.
    pub drain_timeout: Option<Duration>,
    /// From the order to stop the cluster until it lets nobody new in; only where workers drain.
    pub drain_delay: Duration,
    /// From the order to stop the cluster until all that is left is killed; `None` is never.
    pub shutdown_timeout: Option<Duration>,
    /// How many processes more than workers a rollout may have, with those that drain.
    pub max_surge: u32,
    /// How many workers fewer a rollout may have; at least 1 where `max_surge` is 0.
    pub max_unavailable: u32,
    /// How long a new process must be well before the old one goes.
    pub min_healthy_time: Duration,
    /// A new process that has begun to listen on nothing more for so long is listening on all it is going to.
    pub listen_settle: Duration,
    /// A reload that fails also takes back what it had replaced.
    pub rollback_all: bool,
    /// A worker that holds more bytes than this in `memory_samples` samples in a row is measured, with only its part of what
    /// it shares, and replaced if that is too much too; `None` is never.
    pub memory_limit: Option<u64>,
    /// How many samples in a row, at least 1.
    pub memory_samples: u32,
    /// A worker is replaced after this, or up to a fifth earlier; `None` is never.
    pub max_lifetime: Option<Duration>,
    /// A worker is replaced after so many connections, or up to a fifth fewer; `None` is never.
    pub recycle_after_connections: Option<u64>,
    /// Whom a connection is given.
    pub policy: Policy,
    /// Connections that may wait in one lane, at least 1.
    pub window: u32,
    /// Open connections that one worker may have, at least 1; `None` is no limit.
    pub max_connections: Option<u32>,
    /// What becomes of connections for which there is no worker.
    pub when_no_worker: WhenNoWorker,
    /// A worker that has been away from its wait for this long is a suspect, and so is a lane from which nothing has
    /// been taken for this long while something waits; `None` is never.
    pub lag_limit: Option<Duration>,
    /// A suspect that takes nothing for this long is examined, and replaced if it hangs; `None` is never.
    pub hang_limit: Option<Duration>,
    /// Somebody chose `hang_limit`: who is blocked that long, or why nobody knows, hangs too.
    pub hang_explicit: bool,
    /// How many workers may be taken down for their health at a time, until their replacement runs; 0 is none.
    pub health_max_unavailable: u32,
    /// From the verdict to the kill signal for a worker that hangs.
    pub hang_stop_timeout: Duration,
    /// So many connections in a row make steady traffic.
    pub steady_after: u64,
    /// When what waits in a lane is first looked at.
    pub look_after: Duration,
    /// Seeds the jitter.
    pub seed: u64,
}

impl Settings {
    /// How many connections a worker has decides what it is given.
    pub(crate) fn counts(&self) -> bool {
        self.max_connections.is_some() || self.policy == Policy::LeastConnections
    }
}

/// Fraction of a delay by which the jitter may lengthen or shorten it.
pub(crate) const JITTER: f64 = 0.2;

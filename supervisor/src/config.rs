//! What a cluster is told once. [`Config`] is plain data; [`Builder`] makes one and holds every check of input,
//! so that the command line and a program that links the library are told the same.

mod builder;
mod control;
mod name;
mod workers;

pub use crate::settings::{
    Balancing, Capture, ConfigError, Dispatch, Drain, Encoding, Health, LineHandler, Listeners, LogFormat,
    LogTime, MAX_WINDOW, MAX_WORKERS, MemoryLimit, OnSupervisorDeath, OrNever, Output, Policy, Program,
    Readiness, Ready, Recycle, Restart, Rollback, Rollout, Settings, Stop, Stream, WhenNoWorker,
};
pub use builder::Builder;
pub use control::Control;
pub use workers::Workers;

use crate::pool;
use std::ffi::OsString;
use std::time::Duration;

const BOOT_SLOT: Duration = Duration::from_secs(10);
const HANG_STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// From the dump signal to the stop signal.
pub(crate) const DUMP_TIME: Duration = Duration::from_secs(1);
const STEADY_AFTER: u64 = 1_000;
const LOOK_AFTER: Duration = Duration::from_millis(20);

/// One cluster: what runs, how many times, and by which rules. Made by a [`Builder`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Letters, digits, `.`, `_` and `-`; at most 64.
    pub name: String,
    /// The name was asked for: no other will do.
    pub name_is_given: bool,
    /// How long whoever stops this process waits before killing it, where that is known and no time for the stop was chosen:
    /// `settings.stop.shutdown_timeout` is made to fit.
    pub patience: Option<Duration>,
    /// Where the cluster can be controlled from outside.
    pub control: Control,
    /// The program as it was given, then its arguments. Never empty.
    pub command: Vec<OsString>,
    /// One per worker, in the order of the slots; distinct and never empty.
    pub logical_ids: Vec<String>,
    /// How many workers may be starting at a time, at least 1.
    pub max_starting: u32,
    /// The process is the supervisor's own: it reads the signals, raises its limit on descriptors and ends what
    /// workers leave behind. Else it installs nothing.
    pub handle_signals: bool,
    /// How much is logged: 0 what happens, 1 also why, 2 everything.
    pub verbose: u8,
    /// The options that have a group.
    pub settings: Settings,
}

impl Config {
    /// What a worker's process is given: the interpreter and its arguments, if there is one, then the command.
    pub fn argv(&self) -> Vec<OsString> {
        self.settings.program.interpreter().chain(&self.command).cloned().collect()
    }

    /// What the core needs of this. `seed` seeds the jitter of the delays.
    pub(crate) fn pool_settings(&self, seed: u64) -> pool::Settings {
        let Settings { listeners, balancing, readiness, restart, stop, rollout, recycle, health, .. } =
            &self.settings;
        let workers = u32::try_from(self.logical_ids.len()).unwrap_or(MAX_WORKERS);
        pool::Settings {
            workers,
            max_starting: self.max_starting,
            boot_slot: BOOT_SLOT,
            start_timeout: readiness.start_timeout,
            ready_by_lane: readiness.by_listening(),
            ready_explicit: readiness.ready.is_some(),
            ready_without_listening: match readiness.ready {
                Some(Ready::Delay(delay)) => Some(delay),
                _ => None,
            },
            respawn: restart.limit(),
            exit_codes_ok: restart.exit_codes_ok.clone(),
            keep_trying: restart.keep_trying,
            min_uptime: restart.min_uptime,
            restart_delay: restart.restart_delay,
            max_restart_delay: restart.max_restart_delay,
            server_restart_delay: listeners.server_restart_delay,
            stop_timeout: stop.timeout(),
            drain_timeout: (stop.drain != Drain::None).then_some(stop.drain_timeout()),
            drain_delay: stop.drain_delay,
            shutdown_timeout: stop.shutdown_within(),
            max_surge: rollout.max_surge,
            max_unavailable: rollout.max_unavailable,
            min_healthy_time: rollout.min_healthy_time,
            listen_settle: rollout.listen_settle,
            rollback_all: rollout.rollback == Rollback::All,
            // A share is known once the machine has been asked.
            memory_limit: recycle.memory_bytes(),
            memory_samples: recycle.memory_samples,
            max_lifetime: recycle.max_lifetime,
            recycle_after_connections: recycle.recycle_after_connections,
            policy: balancing.policy,
            window: balancing.window(),
            max_connections: balancing.max_connections,
            when_no_worker: balancing.when_no_worker,
            lag_limit: health.lag_limit,
            hang_limit: health.hang_limit(),
            hang_explicit: health.replaces_blocked(),
            health_max_unavailable: health.max_unavailable(workers),
            hang_stop_timeout: HANG_STOP_TIMEOUT + health.dump_signal.map_or(Duration::ZERO, |_| DUMP_TIME),
            steady_after: STEADY_AFTER,
            look_after: LOOK_AFTER,
            seed,
        }
    }
}

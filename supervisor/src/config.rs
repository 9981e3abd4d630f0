//! What a cluster is told once. [`Config`] is plain data; [`Builder`] makes one and holds every check of input,
//! so that the command line and a program that links the library are told the same.

mod builder;
mod control;
mod dispatch;
pub(crate) mod duration;
mod error;
mod name;
mod orphans;
mod output;
mod policy;
mod ready;
pub(crate) mod rolling;
mod workers;

pub use builder::Builder;
pub use control::Control;
pub use dispatch::Dispatch;
pub use error::ConfigError;
pub use orphans::OnSupervisorDeath;
pub use output::{Capture, Encoding, LineHandler, LogFormat, LogTime, Stream};
pub use ready::Ready;
pub use rolling::{Drain, MemoryLimit, Rollback, Rolling};
pub use workers::Workers;

use crate::pool;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// More workers than this on one machine is a mistake.
pub const MAX_WORKERS: u32 = 1024;
/// A lane with the smallest socket buffer holds a handful, one with the default buffer 278.
pub const MAX_WINDOW: u32 = 256;

pub(crate) const RESTART_DELAY: Duration = Duration::from_millis(100);
pub(crate) const MAX_RESTART_DELAY: Duration = Duration::from_secs(30);
pub(crate) const MIN_UPTIME: Duration = Duration::from_secs(10);
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(10);
pub(crate) const PULSE: Duration = Duration::from_secs(1);
pub(crate) const LAG_LIMIT: Duration = Duration::from_secs(1);
pub(crate) const WINDOW: u32 = 2;
pub(crate) const BACKLOG: u32 = 4096;

const BOOT_SLOT: Duration = Duration::from_secs(10);
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(60);
pub(crate) const SERVER_RESTART_DELAY: Duration = Duration::from_secs(1);
pub(crate) const HANG_LIMIT: Duration = Duration::from_secs(30);
const HANG_STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// From the dump signal to the stop signal.
pub(crate) const DUMP_TIME: Duration = Duration::from_secs(1);
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
    /// `rolling.shutdown_timeout` is made to fit.
    pub patience: Option<Duration>,
    /// Where the cluster can be controlled from outside.
    pub control: Control,
    /// The program as it was given, then its arguments. Never empty.
    pub command: Vec<OsString>,
    /// What runs the command, then its own arguments; empty where the command is the program.
    pub interpreter: Vec<OsString>,
    /// A worker that takes nothing for this long is examined, and replaced if it hangs; `None` is never.
    pub hang_limit: Option<Duration>,
    /// `hang_limit` was chosen: who is blocked so long hangs too.
    pub hang_explicit: bool,
    /// How many workers may be taken down for their health at a time; `None` is 1, or a quarter if that is more.
    pub health_max_unavailable: Option<u32>,
    /// What a worker that hangs is sent before it is stopped.
    pub dump_signal: Option<i32>,
    /// A worker that is not ready within this has failed to start if `ready` is chosen or if any has ever listened;
    /// else it counts as running.
    pub start_timeout: Duration,
    /// When a worker is ready; `None` is [`Ready::Listen`], and that nobody chose it.
    pub ready: Option<Ready>,
    /// A worker that has ever said that it lives and then does not for so long is restarted; `None` is never.
    pub watchdog: Option<Duration>,
    /// How connections reach workers.
    pub dispatch: Dispatch,
    /// Whom a connection is given, of the workers that are ready.
    pub policy: pool::Policy,
    /// Open connections that one worker may have; `None` is no limit.
    pub max_connections: Option<u32>,
    /// What becomes of connections while no worker is up.
    pub when_no_worker: pool::WhenNoWorker,
    /// From the failure of a listening socket to the next try to open it.
    pub server_restart_delay: Duration,
    /// Exit codes after which a worker is not started again.
    pub exit_codes_ok: Vec<i32>,
    /// Go on when every worker has died before any was ready.
    pub keep_trying: bool,
    /// One per worker, in the order of the slots; distinct and never empty.
    pub logical_ids: Vec<String>,
    /// Restarts per worker before it stays down; `None` is no limit.
    pub respawn: Option<u32>,
    /// The first delay after an early death; it doubles with each further one.
    pub restart_delay: Duration,
    /// The longest delay, before jitter.
    pub max_restart_delay: Duration,
    /// A worker that lived this long is replaced at once.
    pub min_uptime: Duration,
    /// From the stop signal to the kill signal; `None` is for ever.
    pub stop_timeout: Option<Duration>,
    /// How processes leave and others take their place.
    pub rolling: Rolling,
    /// Connections that may wait in one lane, 1 to [`MAX_WINDOW`].
    pub window: u32,
    /// The least length of a listening queue; a program that asks for more gets more.
    pub backlog: u32,
    /// How many workers may be starting at a time, at least 1.
    pub max_starting: u32,
    /// A worker that takes nothing for this long while something waits for it leaves the rotation; `None` is never.
    pub lag_limit: Option<Duration>,
    /// How often the health of each worker is sampled; `None` is never.
    pub pulse: Option<Duration>,
    /// Addresses that are shared though the built-in rules would keep them private.
    pub share: Vec<String>,
    /// Addresses that every worker keeps to itself.
    pub private: Vec<String>,
    /// The thunk to preload, instead of the one that is found.
    pub thunk: Option<PathBuf>,
    /// The process is the supervisor's own: it reads the signals, raises its limit on descriptors and ends what
    /// workers leave behind. Else it installs nothing.
    pub handle_signals: bool,
    /// Where the standard streams of workers go.
    pub capture: Capture,
    /// How captured lines are read.
    pub encoding: Encoding,
    /// How captured lines and the supervisor's log are written.
    pub log_format: LogFormat,
    /// Whether lines of text begin with the time.
    pub log_time: LogTime,
    /// How much is logged: 0 what happens, 1 also why, 2 everything.
    pub verbose: u8,
}

impl Config {
    /// Why workers may not accept by themselves, as far as the options say it.
    pub(crate) fn handoff_because(&self) -> Option<&'static str> {
        match (self.dispatch, self.policy) {
            (Dispatch::Handoff, _) => Some("--dispatch handoff"),
            // The source has to be seen first.
            (_, pool::Policy::SourceHash) => Some("--policy source-hash"),
            (_, pool::Policy::RoundRobin | pool::Policy::LeastConnections) => None,
        }
    }

    /// What a worker's process is given: the interpreter and its arguments, if there is one, then the command.
    pub fn argv(&self) -> Vec<OsString> {
        self.interpreter.iter().chain(&self.command).cloned().collect()
    }

    /// What the core needs of this. `seed` seeds the jitter of the delays.
    pub fn pool_settings(&self, seed: u64) -> pool::Settings {
        let rolling = &self.rolling;
        pool::Settings {
            workers: u32::try_from(self.logical_ids.len()).unwrap_or(MAX_WORKERS),
            max_starting: self.max_starting,
            boot_slot: BOOT_SLOT,
            start_timeout: self.start_timeout,
            ready_by_lane: matches!(self.ready, None | Some(Ready::Auto | Ready::Listen)),
            ready_explicit: self.ready.is_some(),
            ready_without_listening: match self.ready {
                Some(Ready::Delay(delay)) => Some(delay),
                _ => None,
            },
            respawn: self.respawn,
            exit_codes_ok: self.exit_codes_ok.clone(),
            keep_trying: self.keep_trying,
            min_uptime: self.min_uptime,
            restart_delay: self.restart_delay,
            max_restart_delay: self.max_restart_delay,
            server_restart_delay: self.server_restart_delay,
            stop_timeout: self.stop_timeout,
            drain_timeout: (rolling.drain != Drain::None).then_some(rolling.drain_timeout),
            drain_delay: rolling.drain_delay,
            shutdown_timeout: rolling.shutdown_within(self.stop_timeout),
            max_surge: rolling.max_surge,
            max_unavailable: rolling.max_unavailable,
            min_healthy_time: rolling.min_healthy_time,
            listen_settle: rolling.listen_settle,
            rollback_all: rolling.rollback == Rollback::All,
            // A share is known once the machine has been asked.
            memory_limit: match rolling.memory_limit {
                Some(MemoryLimit::Bytes(bytes)) => Some(bytes),
                Some(MemoryLimit::Percent(_)) | None => None,
            },
            memory_samples: rolling.memory_samples,
            max_lifetime: rolling.max_lifetime,
            recycle_after_connections: rolling.recycle_after_connections,
            policy: self.policy,
            window: self.window,
            max_connections: self.max_connections,
            when_no_worker: self.when_no_worker,
            lag_limit: self.lag_limit,
            hang_limit: self.hang_limit,
            hang_explicit: self.hang_explicit,
            health_max_unavailable: self
                .health_max_unavailable
                .unwrap_or_else(|| u32::try_from(self.logical_ids.len() / 4).unwrap_or(MAX_WORKERS).max(1)),
            hang_stop_timeout: HANG_STOP_TIMEOUT + self.dump_signal.map_or(Duration::ZERO, |_| DUMP_TIME),
            look_after: LOOK_AFTER,
            seed,
        }
    }
}

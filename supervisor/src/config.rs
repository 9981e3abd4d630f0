//! What a cluster is told once. [`Config`] is plain data; [`Builder`] makes one and holds every check of input,
//! so that the command line and a program that links the library are told the same.

mod builder;
mod change;
mod control;
mod name;
mod origin;
mod workers;

pub use crate::settings::{
    Balancing, Capability, Capture, CommandLine, ConfigError, CpuAffinity, Development, Dispatch, Drain,
    Encoding, Health, HookCommands, HookEvent, Intercept, LineHandler, Listeners, LogFormat, LogFull,
    LogTime, MAX_WINDOW, MAX_WORKERS, MemoryLimit, OnEvent, OnSupervisorDeath, OrNever, Output, Policy,
    Privileges, Program, Readiness, Ready, Recycle, ResourceLimit, Restart, Rollback, Rollout, Schedule,
    Schedules, Settings, Stop, Stream, WhenNoWorker,
};
pub use builder::Builder;
pub(crate) use change::takes;
pub use control::Control;
pub(crate) use origin::{Compare, Comparison, Origin};
pub use workers::Workers;

use crate::pool;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

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
    /// What was asked for on a command line that is not the default, as it was written: to be shown, and for nothing else.
    pub(crate) options: BTreeMap<String, String>,
}

impl Config {
    /// What a worker's process is given: the interpreter and its arguments, if there is one, then the command.
    pub fn argv(&self) -> Vec<OsString> {
        self.settings.program.interpreter().chain(&self.command).cloned().collect()
    }

    /// What the core needs of this. `seed` seeds the jitter of the delays.
    pub(crate) fn pool_settings(&self, seed: u64) -> pool::Settings {
        let workers = u32::try_from(self.logical_ids.len()).unwrap_or(MAX_WORKERS);
        pool::Settings::new(workers, self.max_starting, &self.settings, seed)
    }
}

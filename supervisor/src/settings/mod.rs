//! The options of a cluster. Each stands once, in its group (`groups/`): name, default, reader and documentation, for the command line, the
//! builder and the core. Nothing here does IO.

// The rooms stand in their order: each may use those below it, and none above.

/// One file for each group of options.
mod groups;

mod error;

/// What an option can be, as people write it.
mod values;

pub use error::{ConfigError, MAX_WINDOW, MAX_WORKERS};
pub use groups::balancing::Balancing;
pub use groups::development::Development;
pub(crate) use groups::health::DUMP_TIME;
pub use groups::health::Health;
pub use groups::hook_commands::HookCommands;
pub(crate) use groups::listeners::BACKLOG;
pub use groups::listeners::Listeners;
pub use groups::lives::readiness::{Readiness, Ready};
pub use groups::lives::recycle::{MemoryLimit, Recycle};
pub use groups::lives::restart::Restart;
pub use groups::lives::rollout::{Rollback, Rollout};
pub use groups::lives::schedules::Schedules;
pub use groups::lives::stop::{Drain, Stop};
pub use groups::output::{Capture, Encoding, LineHandler, LogFormat, LogFull, LogTime, Output, Stream};
pub use groups::privileges::Privileges;
pub use groups::program::Program;
pub use values::command_line::CommandLine;
pub use values::dispatch::Dispatch;
pub use values::hook_event::{HookEvent, OnEvent};
pub use values::intercept::Intercept;
pub use values::limits::affinity::CpuAffinity;
pub use values::limits::capability::Capability;
use values::limits::quota;
pub use values::limits::resource::ResourceLimit;
pub use values::orphans::OnSupervisorDeath;
pub use values::policy::{Policy, WhenNoWorker};
pub use values::schedule::Schedule;
pub(crate) use values::schedule::Zone;
pub(crate) use values::{command_line, duration, signal, size};

use std::time::Duration;

/// Every option that has a group. The order of the groups is that of `--help` and of docs/options.md.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[non_exhaustive]
pub struct Settings {
    /// How the program is run.
    #[command(flatten)]
    pub program: Program,
    /// What a worker may do.
    #[command(flatten)]
    pub privileges: Privileges,
    /// Which addresses are shared, and how they are listened on.
    #[command(flatten)]
    pub listeners: Listeners,
    /// Which worker a connection is for.
    #[command(flatten)]
    pub balancing: Balancing,
    /// When a worker gets connections.
    #[command(flatten)]
    pub readiness: Readiness,
    /// How a worker that has ended is started again.
    #[command(flatten)]
    pub restart: Restart,
    /// How a worker or the cluster is stopped.
    #[command(flatten)]
    pub stop: Stop,
    /// How a reload replaces processes.
    #[command(flatten)]
    pub rollout: Rollout,
    /// When all workers get a new process.
    #[command(flatten)]
    pub schedules: Schedules,
    /// Commands that are run when something happens.
    #[command(flatten)]
    pub hook_commands: HookCommands,
    /// What is done while the program is being written.
    #[command(flatten)]
    pub development: Development,
    /// When a worker that works is replaced all the same.
    #[command(flatten)]
    pub recycle: Recycle,
    /// When a worker is slow, and when it hangs.
    #[command(flatten)]
    pub health: Health,
    /// How what workers write is passed on.
    #[command(flatten)]
    pub output: Output,
}

impl Settings {
    /// The first thing that is wrong in any group.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        self.program.check()?;
        self.privileges.check()?;
        self.restart.check()?;
        self.readiness.check()?;
        self.stop.check()?;
        self.listeners.check()?;
        self.balancing.check()?;
        self.rollout.check()?;
        self.hook_commands.check()?;
        self.development.check()?;
        self.health.check()?;
        self.recycle.check(self.health.pulse)?;
        if self.balancing.dispatch == Dispatch::Kernel {
            // A probe cannot be sent to one worker, nor a connection to another process.
            let fault = match (&self.readiness.ready, self.stop.drain) {
                (Some(Ready::Tcp | Ready::Http(_)), _) => Some("ready"),
                (_, Drain::Move) => Some("drain"),
                (_, Drain::Quiet | Drain::Signal | Drain::None) => None,
            };
            if let Some(option) = fault {
                return Err(ConfigError::KernelDispatch { option });
            }
        }
        self.output.check()
    }
}

/// A duration, or never.
pub type OrNever = Option<Duration>;

/// Gives a group of options the defaults that the command line shows, which are written beside each option and nowhere else.
macro_rules! default_as_shown {
    ($group:ty) => {
        impl Default for $group {
            fn default() -> Self {
                static SHOWN: std::sync::LazyLock<$group> =
                    std::sync::LazyLock::new($crate::settings::read_defaults);
                SHOWN.clone()
            }
        }
    };
}
use default_as_shown;

/// What an empty command line means for the group.
fn read_defaults<G: clap::Args>() -> G {
    let command = G::augment_args(clap::Command::new("defaults").no_binary_name(true));
    let read = command.try_get_matches_from::<_, &str>([]).and_then(|matches| G::from_arg_matches(&matches));
    // Only a default that its own option cannot read comes here; a test makes those of all groups.
    read.unwrap_or_else(|error| panic!("the default of an option is at fault: {error}"))
}

/// An error if one of these times is longer than anything here may last.
fn check_lengths(times: impl IntoIterator<Item = (&'static str, OrNever)>) -> Result<(), ConfigError> {
    match times.into_iter().find(|(_, time)| time.is_some_and(|time| time > duration::LONGEST)) {
        Some((option, _)) => Err(ConfigError::TooLong { option }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_can_be_read_and_are_sound() {
        let settings = Settings::default();
        assert_eq!(settings.check(), Ok(()));
        assert_eq!(settings.stop.timeout(), Some(Duration::from_secs(10)));
        assert_eq!(settings.health.lag_limit, Some(Duration::from_secs(1)));
    }
}

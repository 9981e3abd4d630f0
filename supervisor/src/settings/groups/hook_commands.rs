//! Options on commands that are run when something happens in the cluster, and on those that have to allow a start or a reload.

use crate::settings::duration;
use crate::settings::{CommandLine, ConfigError, HookEvent, OnEvent, check_lengths, default_as_shown};
use std::time::Duration;

/// Commands that are run when something happens.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Hooks")]
#[non_exhaustive]
pub struct HookCommands {
    /// Run COMMAND, without a shell and with the event as JSON on its stdin, when this happens: start, worker_ready, worker_exit,
    /// unhealthy, reload_failed, draining or stop; repeatable
    #[arg(long, value_name = "EVENT=COMMAND")]
    pub on: Vec<OnEvent>,
    /// Run COMMAND before the first workers are started, as for a migration: if it fails, nothing is started
    #[arg(long, value_name = "COMMAND")]
    pub before_start: Option<CommandLine>,
    /// Run COMMAND before a reload begins, in the directory and with the env file of the new version: if it fails, the old processes go on
    #[arg(long, value_name = "COMMAND")]
    pub before_reload: Option<CommandLine>,
    /// How long each of these commands may run before it is ended, with all that it has started
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse, default_value = "30s")]
    pub hook_timeout: Duration,
}

default_as_shown!(HookCommands);

impl HookCommands {
    /// The commands for this event, in the order in which they were given.
    pub fn of(&self, event: HookEvent) -> impl Iterator<Item = &CommandLine> {
        self.on.iter().filter(move |on| on.event == event).map(|on| &on.command)
    }

    pub(in crate::settings) fn check(&self) -> Result<(), ConfigError> {
        if self.hook_timeout.is_zero() {
            let advice = "no command could do anything; give 1ms or more";
            return Err(ConfigError::Zero { option: "hook-timeout", advice });
        }
        check_lengths([("hook-timeout", Some(self.hook_timeout))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_by_their_event() {
        let on = ["stop=a", "worker_exit=b", "stop=c"].map(|text| text.parse().unwrap());
        let commands = HookCommands { on: on.into(), ..HookCommands::default() };
        let found: Vec<String> = commands.of(HookEvent::Stop).map(ToString::to_string).collect();
        assert_eq!(found, ["a", "c"]);
        assert_eq!(commands.check(), Ok(()));
        let none = HookCommands { hook_timeout: Duration::ZERO, ..commands };
        assert!(none.check().unwrap_err().to_string().starts_with("--hook-timeout 0: "));
    }
}

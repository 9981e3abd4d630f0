//! Options on how a worker that has ended is started again.

use crate::settings::duration;
use crate::settings::{ConfigError, check_lengths, default_as_shown};
use std::time::Duration;

/// How a worker that has ended is started again.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Restarts")]
#[non_exhaustive]
pub struct Restart {
    /// Restarts per worker before it stays down, refilled after --min-uptime; -1 is no limit
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = -1)]
    pub respawn: i64,
    /// Delay after the early death of a worker, doubling with each further one
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse, default_value = "100ms")]
    pub restart_delay: Duration,
    /// Longest such delay
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse, default_value = "30s")]
    pub max_restart_delay: Duration,
    /// A worker that lived this long is replaced at once
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse, default_value = "10s")]
    pub min_uptime: Duration,
    /// Exit codes with which a worker says that it is done: it is not started again
    #[arg(long, value_name = "N,N..", value_delimiter = ',', allow_negative_numbers = true)]
    pub exit_codes_ok: Vec<i32>,
    /// Go on when every worker has died before any was ready
    #[arg(long)]
    pub keep_trying: bool,
}

default_as_shown!(Restart);

impl Restart {
    /// Restarts per worker before it stays down; `None` is no limit.
    pub fn limit(&self) -> Option<u32> {
        u32::try_from(self.respawn).ok()
    }

    pub(in crate::settings) fn check(&self) -> Result<(), ConfigError> {
        if self.respawn != -1 && self.limit().is_none() {
            return Err(ConfigError::Respawn(self.respawn));
        }
        check_lengths([
            ("restart-delay", Some(self.restart_delay)),
            ("max-restart-delay", Some(self.max_restart_delay)),
            ("min-uptime", Some(self.min_uptime)),
        ])?;
        if self.restart_delay > self.max_restart_delay {
            return Err(ConfigError::RestartDelay { delay: self.restart_delay, max: self.max_restart_delay });
        }
        match self.exit_codes_ok.iter().find(|code| !(0..=255).contains(*code)) {
            Some(code) => Err(ConfigError::ExitCode(*code)),
            None => Ok(()),
        }
    }
}

//! Options on when a worker is slow, when it hangs, and what is done then.

use crate::settings::duration;
use crate::settings::{ConfigError, OrNever, check_lengths, default_as_shown, signal};
use nix::sys::signal::Signal;
use std::time::Duration;

const HANG_LIMIT: Duration = Duration::from_secs(30);
const HANG_STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// From the dump signal to the stop signal.
pub(crate) const DUMP_TIME: Duration = Duration::from_secs(1);

/// When a worker is slow, and when it hangs.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Health")]
#[non_exhaustive]
pub struct Health {
    /// How often each worker's health is sampled: a duration, or off
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::or_off, default_value = "1s")]
    pub pulse: OrNever,
    /// A worker that takes nothing for this long while a connection waits for it leaves the rotation: a duration, or off
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::or_off, default_value = "1s")]
    pub lag_limit: OrNever,
    /// Replace a worker that has taken nothing for so long while something waited, and is found to hang: on the CPU
    /// throughout, stopped or waiting for a lock; if this is given, also one that is blocked: a duration, or off
    /// [default: 30s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::or_off)]
    pub hang_limit: Option<OrNever>,
    /// How many workers may be taken down for their health at a time [default: 1, or a quarter if that is more]
    #[arg(long, value_name = "N")]
    pub health_max_unavailable: Option<u32>,
    /// What a worker that hangs is sent before it is stopped, to say what it is doing, such as SIGQUIT
    #[arg(long, value_name = "SIGNAL", value_parser = signal::number)]
    pub dump_signal: Option<i32>,
    /// Restart a worker that has said WATCHDOG=1 to its NOTIFY_SOCKET and then does not for this long: a duration, or off
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::or_off, default_value = "off")]
    pub watchdog: OrNever,
}

default_as_shown!(Health);

impl Health {
    /// A worker that takes nothing for so long is examined, and replaced if it hangs.
    pub fn hang_limit(&self) -> OrNever {
        self.hang_limit.unwrap_or(Some(HANG_LIMIT))
    }

    /// Somebody chose that limit: a worker that is blocked for so long hangs too.
    pub fn replaces_blocked(&self) -> bool {
        self.hang_limit.is_some()
    }

    /// From the verdict to the kill signal for a worker that hangs, the time for its dump included.
    pub fn stop_timeout(&self) -> Duration {
        HANG_STOP_TIMEOUT + self.dump_signal.map_or(Duration::ZERO, |_| DUMP_TIME)
    }

    /// How many of so many workers may be taken down for their health at a time.
    pub fn max_unavailable(&self, workers: u32) -> u32 {
        self.health_max_unavailable.unwrap_or((workers / 4).max(1))
    }

    pub(in crate::settings) fn check(&self) -> Result<(), ConfigError> {
        check_lengths([
            ("lag-limit", self.lag_limit),
            ("pulse", self.pulse),
            ("hang-limit", self.hang_limit()),
            ("watchdog", self.watchdog),
        ])?;
        match self.dump_signal {
            Some(signal) if Signal::try_from(signal).is_err() => Err(ConfigError::DumpSignal(signal)),
            _ => Ok(()),
        }
    }
}

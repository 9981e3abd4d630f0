//! The options on when a worker is suspect, when it hangs, and what is done then.

use super::Builder;
use crate::config::ConfigError;
use nix::sys::signal::Signal;
use std::time::Duration;

/// What is set so far.
#[derive(Clone, Debug)]
pub(super) struct Health {
    pub(super) hang_limit: Option<Duration>,
    /// Somebody chose it.
    pub(super) hang_explicit: bool,
    pub(super) max_unavailable: Option<u32>,
    pub(super) dump_signal: Option<i32>,
    pub(super) start_timeout: Duration,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            hang_limit: Some(crate::config::HANG_LIMIT),
            hang_explicit: false,
            max_unavailable: None,
            dump_signal: None,
            start_timeout: crate::config::START_TIMEOUT,
        }
    }
}

impl Health {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match self.dump_signal {
            Some(signal) if Signal::try_from(signal).is_err() => Err(ConfigError::DumpSignal(signal)),
            _ => Ok(()),
        }
    }
}

impl Builder {
    /// A worker that has taken nothing for this long, while something waited, is examined and replaced if it hangs: on
    /// the CPU throughout, stopped, or waiting for a lock. Set explicitly, one that is blocked so long hangs too. `None` is
    /// never.
    pub fn hang_limit(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.health.hang_limit = limit.into().filter(|limit| !limit.is_zero());
        self.health.hang_explicit = true;
        self
    }

    /// How many workers may be taken down for their health at a time; by default 1, or a quarter if that is more. 0 is
    /// none.
    pub fn health_max_unavailable(mut self, workers: u32) -> Self {
        self.health.max_unavailable = Some(workers);
        self
    }

    /// A signal that a worker which hangs gets just before it is stopped, to write down what it is doing.
    pub fn dump_signal(mut self, signal: i32) -> Self {
        self.health.dump_signal = Some(signal);
        self
    }

    /// A worker that has not listened within this counts as running all the same.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.health.start_timeout = timeout;
        self
    }
}

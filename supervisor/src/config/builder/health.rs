//! The options on when a worker is suspect, when it hangs, and what is done then.

use super::Builder;
use crate::config::{ConfigError, Ready};
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
    pub(super) ready: Option<Ready>,
    pub(super) watchdog: Option<Duration>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            hang_limit: Some(crate::config::HANG_LIMIT),
            hang_explicit: false,
            max_unavailable: None,
            dump_signal: None,
            start_timeout: crate::config::START_TIMEOUT,
            ready: None,
            watchdog: None,
        }
    }
}

impl Health {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if let Some(Ready::Http(path)) = &self.ready
            && !is_path(path)
        {
            return Err(ConfigError::ReadyPath(path.clone()));
        }
        if let Some(Ready::Fd(number)) = self.ready
            && !(3..1024).contains(&number)
        {
            return Err(ConfigError::ReadyFd(number));
        }
        if self.start_timeout.is_zero() && self.ready.is_some() {
            let advice =
                "with --ready no worker has this little time to be ready; give more, or leave --ready away";
            return Err(ConfigError::Zero { option: "start-timeout", advice });
        }
        match self.dump_signal {
            Some(signal) if Signal::try_from(signal).is_err() => Err(ConfigError::DumpSignal(signal)),
            _ => Ok(()),
        }
    }
}

/// A request can ask for it.
fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic())
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

    /// A signal that a worker which hangs gets a second before it is stopped, to write down what it is doing.
    pub fn dump_signal(mut self, signal: i32) -> Self {
        self.health.dump_signal = Some(signal);
        self
    }

    /// When a worker is ready, and thus in rotation: by default when it listens. With [`Ready::Notify`],
    /// [`Ready::Auto`] or a watchdog it finds a `NOTIFY_SOCKET`, and with no other. One that is not within `start_timeout` has failed to start, if this is set.
    pub fn ready(mut self, when: Ready) -> Self {
        self.health.ready = Some(when);
        self
    }

    /// Tells each worker, by `WATCHDOG_USEC`, to say so often that it lives. One that has done so once and then does not is
    /// restarted. `None` or zero is never.
    pub fn watchdog(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.health.watchdog = limit.into().filter(|limit| !limit.is_zero());
        self
    }

    /// A worker that is not ready within this has failed to start: it is killed, and another started after a delay. Unless
    /// `ready` is set or some worker has listened: then it counts as running all the same.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.health.start_timeout = timeout;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_what_a_request_can_hold() {
        for path in ["/", "/a?b=%20"] {
            assert!(is_path(path), "{path:?}");
        }
        for path in ["", "a", "/a b", "/\r\n", "/\u{e4}"] {
            assert!(!is_path(path), "{path:?}");
        }
    }
}

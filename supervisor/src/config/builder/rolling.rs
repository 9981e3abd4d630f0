//! The options on how processes leave and others take their place.

use super::Builder;
use crate::config::{ConfigError, Drain, MemoryLimit, OnSupervisorDeath, Rollback, Rolling};
use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) fn check(rolling: &Rolling, pulse: Option<Duration>) -> Result<(), ConfigError> {
    if rolling.max_surge == 0 && rolling.max_unavailable == 0 {
        return Err(ConfigError::NoSurge);
    }
    if !matches!(Signal::try_from(rolling.stop_signal), Ok(signal) if signal != Signal::SIGSTOP) {
        return Err(ConfigError::StopSignal(rolling.stop_signal));
    }
    for (option, time, advice) in [
        (
            "drain-timeout",
            rolling.drain_timeout,
            "no worker has the time to drain; for that give --drain none",
        ),
        ("idle-grace", rolling.idle_grace, "requests would be cut off; give 1ms or more, or --drain none"),
    ] {
        if time.is_zero() {
            return Err(ConfigError::Zero { option, advice });
        }
    }
    if rolling.memory_samples == 0 {
        return Err(ConfigError::MemorySamples);
    }
    match rolling.memory_limit {
        Some(MemoryLimit::Bytes(0) | MemoryLimit::Percent(0 | 101..)) => {
            return Err(ConfigError::MemoryLimit);
        }
        Some(_) if pulse.is_none() => return Err(ConfigError::MemoryWithoutPulse),
        Some(_) | None => {}
    }
    if rolling.recycle_after_connections == Some(0) {
        return Err(ConfigError::RecycleAfter);
    }
    for (option, path) in [("cwd", &rolling.cwd), ("env-file", &rolling.env_file)] {
        if path.as_ref().is_some_and(|path| path == Path::new("")) {
            return Err(ConfigError::EmptyPath { option });
        }
    }
    Ok(())
}

/// The time for a stop where everything is killed after `patience`: enough is left to see that all have ended.
pub(super) fn within(patience: Duration) -> Duration {
    patience / 5 * 4
}

impl Builder {
    /// What is done before a worker is told to stop.
    pub fn drain(mut self, drain: Drain) -> Self {
        self.rolling.drain = drain;
        self
    }

    /// How long that may take.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.rolling.drain_timeout = timeout;
        self.chose_times = true;
        self
    }

    /// A connection without a byte either way for so long counts as idle, and may be closed.
    pub fn idle_grace(mut self, grace: Duration) -> Self {
        self.rolling.idle_grace = grace;
        self
    }

    /// How long the address goes on being served once the cluster is to stop.
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.rolling.drain_delay = delay;
        self
    }

    /// From the order to stop the cluster until all that is left is killed; by default 25 s, or the stop timeout if that is
    /// longer. As process 1 of a container, or below one of the usual inits there, it is 8 s, unless this, the stop timeout or
    /// the drain timeout is set: `docker stop` kills after 10 s.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.rolling.shutdown_timeout = Some(timeout);
        self.chose_times = true;
        self
    }

    /// What workers do when the supervisor is gone without having stopped them; by default they stop.
    pub fn on_supervisor_death(mut self, what: OnSupervisorDeath) -> Self {
        self.rolling.on_supervisor_death = what;
        self
    }

    /// The signal that asks a worker to stop; by default SIGTERM.
    pub fn stop_signal(mut self, signal: i32) -> Self {
        self.rolling.stop_signal = signal;
        self
    }

    /// How many processes more than workers a reload may have; 1 by default.
    pub fn max_surge(mut self, processes: u32) -> Self {
        self.rolling.max_surge = processes;
        self
    }

    /// How many workers fewer a reload may have; none by default, and at least 1 where `max_surge` is 0.
    pub fn max_unavailable(mut self, workers: u32) -> Self {
        self.rolling.max_unavailable = workers;
        self
    }

    /// How long a new process must be well before the old one goes.
    pub fn min_healthy_time(mut self, time: Duration) -> Self {
        self.rolling.min_healthy_time = time;
        self
    }

    /// A new process that has begun to listen on nothing more for so long is listening on all it is going to.
    pub fn listen_settle(mut self, time: Duration) -> Self {
        self.rolling.listen_settle = time;
        self
    }

    /// What becomes of those that a reload has replaced before it failed.
    pub fn rollback(mut self, rollback: Rollback) -> Self {
        self.rolling.rollback = rollback;
        self
    }

    /// A worker that holds more memory than this, over `memory_samples` pulses, is replaced; what it shares with others counts in
    /// part. `None` is never.
    pub fn memory_limit(mut self, limit: impl Into<Option<MemoryLimit>>) -> Self {
        self.rolling.memory_limit = limit.into();
        self
    }

    /// How many pulses in a row must find too much memory; 3 by default.
    pub fn memory_samples(mut self, samples: u32) -> Self {
        self.rolling.memory_samples = samples;
        self
    }

    /// A worker is replaced after this, or up to a fifth earlier; `None` or zero is never.
    pub fn max_lifetime(mut self, lifetime: impl Into<Option<Duration>>) -> Self {
        self.rolling.max_lifetime = lifetime.into().filter(|lifetime| !lifetime.is_zero());
        self
    }

    /// A worker is replaced after so many connections, or up to a fifth fewer; `None` is never.
    pub fn recycle_after_connections(mut self, connections: impl Into<Option<u64>>) -> Self {
        self.rolling.recycle_after_connections = connections.into();
        self
    }

    /// Where workers run: looked up anew by each reload, so that it may be a link to the current version. By default where
    /// the supervisor was started.
    pub fn cwd(mut self, path: impl Into<PathBuf>) -> Self {
        self.rolling.cwd = Some(path.into());
        self
    }

    /// A file of variables for workers, `NAME=value` a line, read anew by each reload.
    pub fn env_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.rolling.env_file = Some(path.into());
        self
    }
}

//! Options on how a worker or the cluster is stopped: draining, signals and times.

use crate::settings::duration;
use crate::settings::{ConfigError, OnSupervisorDeath, OrNever, check_lengths, default_as_shown, signal};
use nix::sys::signal::Signal;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(25);

/// How a worker or the cluster is stopped.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Stopping")]
#[non_exhaustive]
pub struct Stop {
    /// What asks a worker to stop
    #[arg(long, value_name = "SIGNAL", value_parser = signal::number, default_value = "SIGTERM")]
    pub stop_signal: i32,
    /// From the stop signal to the kill signal: a duration, or infinity [default: 10s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::or_infinity)]
    pub stop_timeout: Option<OrNever>,
    /// What is done before a worker is told to stop: quiet (no new connections; told once its connections are closed or
    /// idle), move (experimental; no new connections; ended once each connection is between two requests, and others are given them: for
    /// plain HTTP/1 and the like), signal (no new connections; told at once, and drains by itself) or none
    #[arg(long, value_name = "HOW", default_value_t)]
    pub drain: Drain,
    /// How long a worker may drain [default: 20s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse)]
    pub drain_timeout: Option<Duration>,
    /// A connection without a byte either way for so long is idle, and may be closed
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse, default_value = "2s")]
    pub idle_grace: Duration,
    /// How long the address goes on being served after the cluster was told to stop
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse, default_value = "0")]
    pub drain_delay: Duration,
    /// From the order to stop the cluster until all that is left is killed; workers are told to stop in time for it
    /// [default: 25s, or --stop-timeout if that is longer; 8s in a container, if no such time is given]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse)]
    pub shutdown_timeout: Option<Duration>,
    /// What workers do when the supervisor is killed: stop, or keep serving what they have
    #[arg(long, value_name = "WHAT", default_value_t)]
    pub on_supervisor_death: OnSupervisorDeath,
}

default_as_shown!(Stop);

impl Stop {
    /// From the stop signal to the kill signal; `None` is for ever.
    pub fn timeout(&self) -> OrNever {
        self.stop_timeout.unwrap_or(Some(STOP_TIMEOUT))
    }

    /// How long a worker may drain.
    pub fn drain_timeout(&self) -> Duration {
        self.drain_timeout.unwrap_or(DRAIN_TIMEOUT)
    }

    /// How long a worker drains, out of rotation and at work on what it has, before the stop signal; `None` is not at all.
    pub fn drains_for(&self) -> Option<Duration> {
        (self.drain != Drain::None).then(|| self.drain_timeout())
    }

    /// When all that is left is killed, after the order to stop the cluster. `None` is never: whoever gives workers
    /// for ever means it.
    pub fn shutdown_within(&self) -> OrNever {
        self.shutdown_timeout.or_else(|| Some(self.timeout()?.max(SHUTDOWN_TIMEOUT)))
    }

    /// From the order to stop the cluster until each worker is told to stop, at the latest: its time to drain, but so that
    /// the stop signal is not the last thing that it hears. Of the time for everything, half at most is for what follows
    /// that signal. `None` where nobody drains.
    pub(crate) fn told_within(&self) -> Option<Duration> {
        let drain = self.drain_delay.saturating_add(self.drains_for()?);
        let Some(limit) = self.shutdown_within() else { return Some(drain) };
        let stop = self.timeout().unwrap_or(Duration::MAX).min(limit / 2);
        Some(drain.min(limit.saturating_sub(stop)))
    }

    /// Somebody chose how long a stop takes.
    pub(crate) fn is_chosen(&self) -> bool {
        self.stop_timeout.is_some() || self.drain_timeout.is_some() || self.shutdown_timeout.is_some()
    }

    pub(in crate::settings) fn check(&self) -> Result<(), ConfigError> {
        check_lengths([
            ("stop-timeout", self.timeout()),
            ("drain-timeout", self.drain_timeout),
            ("idle-grace", Some(self.idle_grace)),
            ("drain-delay", Some(self.drain_delay)),
            ("shutdown-timeout", self.shutdown_timeout),
        ])?;
        if !matches!(Signal::try_from(self.stop_signal), Ok(signal) if signal != Signal::SIGSTOP) {
            return Err(ConfigError::StopSignal(self.stop_signal));
        }
        if self.drain_timeout().is_zero() {
            let advice = "no worker has the time to drain; for that give --drain none";
            return Err(ConfigError::Zero { option: "drain-timeout", advice });
        }
        if self.idle_grace.is_zero() {
            let advice = "requests would be cut off; give 1ms or more, or --drain none";
            return Err(ConfigError::Zero { option: "idle-grace", advice });
        }
        Ok(())
    }
}

/// What is done before a worker is told to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Drain {
    /// It gets nothing new, and is told once its connections are closed or idle.
    #[default]
    Quiet,
    /// It gets nothing new; once each of its connections is between two requests, it is ended, and others are given them. For
    /// protocols of plain request and response alone. Where that is not to be had, `Quiet`.
    Move,
    /// It gets nothing new, and is told as soon as it has taken what waited for it: it drains by itself.
    Signal,
    /// It is told at once.
    None,
}

impl FromStr for Drain {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "quiet" => Self::Quiet,
            "move" => Self::Move,
            "signal" => Self::Signal,
            "none" => Self::None,
            _ => return Err("is none of quiet, move, signal, none"),
        })
    }
}

impl fmt::Display for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quiet => "quiet",
            Self::Move => "move",
            Self::Signal => "signal",
            Self::None => "none",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_values_are_one() {
        for text in ["quiet", "move", "signal", "none"] {
            assert_eq!(text.parse::<Drain>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn the_shutdown_is_never_shorter_than_the_stop() {
        let s = Duration::from_secs;
        let within = |stop_timeout, shutdown_timeout| {
            Stop { stop_timeout, shutdown_timeout, ..Stop::default() }.shutdown_within()
        };
        assert_eq!(within(None, None), Some(s(25)));
        assert_eq!(within(Some(Some(s(60))), None), Some(s(60)));
        assert_eq!(within(Some(None), None), None);
        assert_eq!(within(Some(None), Some(s(5))), Some(s(5)));
    }

    #[test]
    fn the_shorter_the_stop_the_shorter_the_drain() {
        let ms = Duration::from_millis;
        let told = |drain, delay, stop: Option<u64>, shutdown: Option<u64>| {
            Stop {
                drain_timeout: Some(ms(drain)),
                drain_delay: ms(delay),
                stop_timeout: Some(stop.map(ms)),
                shutdown_timeout: shutdown.map(ms),
                ..Stop::default()
            }
            .told_within()
        };
        assert_eq!(told(20_000, 0, Some(10_000), Some(25_000)), Some(ms(15_000)));
        assert_eq!(told(20_000, 0, Some(10_000), Some(8_000)), Some(ms(4_000)));
        assert_eq!(told(20_000, 5_000, Some(1_000), Some(8_000)), Some(ms(7_000)));
        assert_eq!(told(1_000, 500, Some(10_000), Some(8_000)), Some(ms(1_500)));
        assert_eq!(told(20_000, 0, None, Some(8_000)), Some(ms(4_000)));
        assert_eq!(told(20_000, 1_000, None, None), Some(ms(21_000)));
        assert_eq!(Stop { drain: Drain::None, ..Stop::default() }.told_within(), None);
    }
}

//! How processes leave and others take their place: draining, reloads, and when a process has served for long enough.
//! Plain data.

use super::OnSupervisorDeath;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
pub(crate) const IDLE_GRACE: Duration = Duration::from_secs(2);
pub(crate) const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(25);
pub(crate) const MIN_HEALTHY_TIME: Duration = Duration::from_secs(1);
pub(crate) const LISTEN_SETTLE: Duration = Duration::from_secs(1);
pub(crate) const MEMORY_SAMPLES: u32 = 3;

/// What a worker leaves by, and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rolling {
    /// What is done before the stop signal.
    pub drain: Drain,
    /// How long that may take.
    pub drain_timeout: Duration,
    /// A connection without a byte either way for so long is idle.
    pub idle_grace: Duration,
    /// From the order to stop the cluster until nobody new is let in.
    pub drain_delay: Duration,
    /// From the order to stop the cluster until all that is left is killed; `None` is 25 s, or the stop timeout if that is
    /// longer; see [`Builder::shutdown_timeout`](super::Builder::shutdown_timeout).
    pub shutdown_timeout: Option<Duration>,
    /// What workers do when the supervisor is gone.
    pub on_supervisor_death: OnSupervisorDeath,
    /// What asks a worker to stop.
    pub stop_signal: i32,
    /// How many processes more than workers a reload may have.
    pub max_surge: u32,
    /// How many workers fewer a reload may have.
    pub max_unavailable: u32,
    /// How long a new process must be well before the old one goes.
    pub min_healthy_time: Duration,
    /// A new process that has begun to listen on nothing more for so long is listening on all it is going to.
    pub listen_settle: Duration,
    /// What becomes of those that a reload has replaced before it failed.
    pub rollback: Rollback,
    /// A worker that holds more memory than this, with only its part of what it shares, is replaced.
    pub memory_limit: Option<MemoryLimit>,
    /// How many samples in a row must be over it.
    pub memory_samples: u32,
    /// A worker is replaced after this.
    pub max_lifetime: Option<Duration>,
    /// A worker is replaced after so many connections.
    pub recycle_after_connections: Option<u64>,
    /// Where workers run; looked up anew by each reload. `None` is where the supervisor was started.
    pub cwd: Option<PathBuf>,
    /// Variables for workers, `NAME=value` a line; read anew by each reload.
    pub env_file: Option<PathBuf>,
}

/// What is done before a worker is told to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

/// What becomes of processes that a reload has put in place before it failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rollback {
    /// They stay.
    #[default]
    None,
    /// They too go back to the old version.
    All,
}

/// How much memory a worker may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryLimit {
    /// Bytes.
    Bytes(u64),
    /// This share, 1 to 100 percent, of what the cgroup or the machine has, divided among the workers.
    Percent(u8),
}

impl Default for Rolling {
    fn default() -> Self {
        Self {
            drain: Drain::default(),
            drain_timeout: DRAIN_TIMEOUT,
            idle_grace: IDLE_GRACE,
            drain_delay: Duration::ZERO,
            shutdown_timeout: None,
            on_supervisor_death: OnSupervisorDeath::default(),
            stop_signal: libc::SIGTERM,
            max_surge: 1,
            max_unavailable: 0,
            min_healthy_time: MIN_HEALTHY_TIME,
            listen_settle: LISTEN_SETTLE,
            rollback: Rollback::default(),
            memory_limit: None,
            memory_samples: MEMORY_SAMPLES,
            max_lifetime: None,
            recycle_after_connections: None,
            cwd: None,
            env_file: None,
        }
    }
}

impl Rolling {
    /// When all that is left is killed, after the order to stop the cluster, for this stop timeout. `None` is never:
    /// whoever says that a worker has for ever means it.
    pub fn shutdown_within(&self, stop_timeout: Option<Duration>) -> Option<Duration> {
        self.shutdown_timeout.or_else(|| Some(stop_timeout?.max(SHUTDOWN_TIMEOUT)))
    }
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

impl FromStr for Rollback {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            "all" => Ok(Self::All),
            _ => Err("is neither none nor all"),
        }
    }
}

impl fmt::Display for Rollback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::All => "all",
        })
    }
}

/// Units of memory, as they are written behind a number; all are powers of 1024.
const UNITS: [(&str, u64); 4] = [("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40)];

impl FromStr for MemoryLimit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let odd = "write an amount of memory as 200M, 1.5G or 80%";
        if let Some(percent) = text.strip_suffix('%') {
            let percent = percent.parse().map_err(|_| odd)?;
            return if (1..=100).contains(&percent) {
                Ok(Self::Percent(percent))
            } else {
                Err("a share is 1% to 100%")
            };
        }
        let upper = text.to_ascii_uppercase();
        let number = upper.strip_suffix('B').unwrap_or(&upper);
        let number = number.strip_suffix('I').unwrap_or(number);
        let with_unit = UNITS.iter().find_map(|(name, unit)| Some((number.strip_suffix(name)?, *unit)));
        let (number, unit) = with_unit.unwrap_or((number, 1));
        let number: f64 = number.parse().map_err(|_| odd)?;
        let bytes = number * unit as f64;
        if bytes.is_finite() && (1.0..9e18).contains(&bytes) {
            Ok(Self::Bytes(bytes as u64))
        } else {
            Err(odd)
        }
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Bytes(bytes) => {
                let unit = UNITS.iter().rev().find(|(_, unit)| bytes.is_multiple_of(*unit) && *bytes > 0);
                match unit {
                    Some((name, unit)) => write!(f, "{}{name}", bytes / unit),
                    None => write!(f, "{bytes}"),
                }
            }
        }
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
        for text in ["none", "all"] {
            assert_eq!(text.parse::<Rollback>().unwrap().to_string(), text);
        }
        for text in ["200M", "1G", "80%", "100%", "1500K", "7"] {
            assert_eq!(text.parse::<MemoryLimit>().unwrap().to_string(), text);
        }
        assert_eq!("1.5GiB".parse::<MemoryLimit>(), Ok(MemoryLimit::Bytes(3 << 29)));
        for text in ["", "M", "-1M", "0", "0%", "101%", "200MM", "1e400", "inf", "NaN"] {
            assert!(text.parse::<MemoryLimit>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_shutdown_is_never_shorter_than_the_stop() {
        let rolling = Rolling::default();
        let s = Duration::from_secs;
        assert_eq!(rolling.shutdown_within(Some(s(10))), Some(s(25)));
        assert_eq!(rolling.shutdown_within(Some(s(60))), Some(s(60)));
        assert_eq!(rolling.shutdown_within(None), None);
        let chosen = Rolling { shutdown_timeout: Some(s(5)), ..rolling };
        assert_eq!(chosen.shutdown_within(None), Some(s(5)));
    }
}

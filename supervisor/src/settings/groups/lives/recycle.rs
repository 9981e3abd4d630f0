//! Options on when a worker that works is replaced all the same.

use crate::settings::duration;
use crate::settings::values::size::Size;
use crate::settings::{ConfigError, OrNever, check_lengths, default_as_shown};
use std::fmt;
use std::str::FromStr;

/// With all of it a process could be replaced as soon as it has begun.
const MAX_JITTER: i64 = 90;

/// When a worker that works is replaced all the same.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Recycling")]
#[non_exhaustive]
pub struct Recycle {
    /// Replace a worker that holds more memory than this, such as 200M, or 80% of the cgroup's limit divided among the
    /// workers; what it shares with others counts in part (PSS)
    #[arg(long, value_name = "SIZE|SHARE")]
    pub memory_limit: Option<MemoryLimit>,
    /// How many pulses in a row must find too much
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub memory_samples: u32,
    /// Replace a worker after this, or up to --recycle-jitter earlier: a duration, or off
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::or_off, default_value = "off")]
    pub max_lifetime: OrNever,
    /// Replace a worker after so many connections, or up to --recycle-jitter fewer
    #[arg(long, value_name = "N")]
    pub recycle_after_connections: Option<u64>,
    /// By how much --max-lifetime and --recycle-after-connections are shortened at most, differently for each process, so that
    /// those that began together do not end together: percent, 0 to 90
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(..=MAX_JITTER), default_value_t = 20)]
    pub recycle_jitter: u8,
}

default_as_shown!(Recycle);

impl Recycle {
    /// The largest fraction by which time and connections are shortened.
    pub fn jitter(&self) -> f64 {
        f64::from(self.recycle_jitter) / 100.0
    }

    /// The limit in bytes; `None` also where it is a share of what the machine has, which is not known here.
    pub fn memory_bytes(&self) -> Option<u64> {
        match self.memory_limit {
            Some(MemoryLimit::Bytes(bytes)) => Some(bytes),
            Some(MemoryLimit::Percent(_)) | None => None,
        }
    }

    pub(in crate::settings) fn check(&self, pulse: OrNever) -> Result<(), ConfigError> {
        check_lengths([("max-lifetime", self.max_lifetime)])?;
        if self.memory_samples == 0 {
            return Err(ConfigError::MemorySamples);
        }
        match self.memory_limit {
            Some(MemoryLimit::Bytes(0) | MemoryLimit::Percent(0 | 101..)) => {
                return Err(ConfigError::MemoryLimit);
            }
            Some(_) if pulse.is_none() => return Err(ConfigError::MemoryWithoutPulse),
            Some(_) | None => {}
        }
        if self.recycle_after_connections == Some(0) {
            return Err(ConfigError::RecycleAfter);
        }
        if i64::from(self.recycle_jitter) > MAX_JITTER {
            let given = self.recycle_jitter.into();
            return Err(ConfigError::OutOfRange {
                option: "recycle-jitter",
                given,
                allowed: "0 to 90 percent",
            });
        }
        Ok(())
    }
}

/// How much memory a worker may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryLimit {
    /// Bytes.
    Bytes(u64),
    /// This share, 1 to 100 percent, of what the cgroup or the machine has, divided among the workers.
    Percent(u8),
}

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
        text.parse().map(|Size(bytes)| Self::Bytes(bytes)).map_err(|_| odd)
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Bytes(bytes) => Size(*bytes).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_values_are_one() {
        for text in ["200M", "1G", "80%", "100%", "1500K", "7"] {
            assert_eq!(text.parse::<MemoryLimit>().unwrap().to_string(), text);
        }
        assert_eq!("1.5GiB".parse::<MemoryLimit>(), Ok(MemoryLimit::Bytes(3 << 29)));
        for text in ["", "M", "-1M", "0", "0%", "101%", "200MM", "1e400", "inf", "NaN"] {
            assert!(text.parse::<MemoryLimit>().is_err(), "{text}");
        }
    }
}

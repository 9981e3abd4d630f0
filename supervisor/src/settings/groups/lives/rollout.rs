//! Options on how a reload replaces processes.

use crate::settings::duration;
use crate::settings::{ConfigError, check_lengths, default_as_shown};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How a reload replaces processes.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Reload")]
#[non_exhaustive]
pub struct Rollout {
    /// How many processes more than workers a reload may have
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub max_surge: u32,
    /// How many workers fewer a reload may have
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub max_unavailable: u32,
    /// How long a new process must be well before the old one goes
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse, default_value = "1s")]
    pub min_healthy_time: Duration,
    /// A new process that has begun to listen on nothing more for so long is listening on all it is going to
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse, default_value = "1s")]
    pub listen_settle: Duration,
    /// What becomes of the workers that a reload has replaced before it failed: none (they stay) or all (they go back too)
    #[arg(long, value_name = "WHOM", default_value_t)]
    pub rollback: Rollback,
}

default_as_shown!(Rollout);

impl Rollout {
    /// A reload that fails also takes back what it had replaced.
    pub fn takes_all_back(&self) -> bool {
        self.rollback == Rollback::All
    }

    pub(in crate::settings) fn check(&self) -> Result<(), ConfigError> {
        check_lengths([
            ("min-healthy-time", Some(self.min_healthy_time)),
            ("listen-settle", Some(self.listen_settle)),
        ])?;
        if self.max_surge == 0 && self.max_unavailable == 0 {
            return Err(ConfigError::NoSurge);
        }
        Ok(())
    }
}

/// What becomes of processes that a reload has put in place before it failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rollback {
    /// They stay.
    #[default]
    None,
    /// They too go back to the old version.
    All,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_values_are_one() {
        for text in ["none", "all"] {
            assert_eq!(text.parse::<Rollback>().unwrap().to_string(), text);
        }
    }
}

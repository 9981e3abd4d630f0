//! How connections are spread, and what becomes of them while there is no worker; with their texts.

use super::duration::Human;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Whom a connection is given, of the workers that are ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// The least recently connected.
    #[default]
    RoundRobin,
    /// The one with the fewest open connections; of several the least recently connected.
    LeastConnections,
    /// The one that a rendezvous hash of the peer's address prefers; the next preferred while that one is not ready.
    SourceHash,
}

/// What becomes of the connections of a balancer whose workers are all down or cordoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenNoWorker {
    /// They wait until one is back, but no longer than this: then they are refused, and all that come.
    Hold { refuse_after: Option<Duration> },
    /// They are refused at once.
    Refuse,
}

impl WhenNoWorker {
    /// How long they wait; `None` is for ever.
    pub(crate) fn patience(self) -> Option<Duration> {
        match self {
            Self::Hold { refuse_after } => refuse_after,
            Self::Refuse => Some(Duration::ZERO),
        }
    }
}

impl Default for WhenNoWorker {
    fn default() -> Self {
        Self::Hold { refuse_after: Some(Duration::from_secs(10)) }
    }
}

const NAMES: [(&str, Policy); 3] = [
    ("round-robin", Policy::RoundRobin),
    ("least-connections", Policy::LeastConnections),
    ("source-hash", Policy::SourceHash),
];

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(name, _)| *name == text).map(|(_, policy)| *policy);
        found.ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            format!("is none of {}", names.join(", "))
        })
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(_, policy)| policy == self).map_or("", |(name, _)| name))
    }
}

impl FromStr for WhenNoWorker {
    type Err = String;

    /// `hold` waits for ever, `hold:10s` so long, `refuse` not at all.
    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("hold:")) {
            ("hold", _) => Ok(Self::Hold { refuse_after: None }),
            ("refuse", _) => Ok(Self::Refuse),
            (_, Some(time)) => {
                let time: Human = time.parse().map_err(|fault| format!("{fault}"))?;
                Ok(Self::Hold { refuse_after: Some(time.0) })
            }
            _ => Err("is none of hold, hold:DURATION, refuse".to_owned()),
        }
    }
}

impl fmt::Display for WhenNoWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hold { refuse_after: None } => f.write_str("hold"),
            Self::Hold { refuse_after: Some(time) } => write!(f, "hold:{}", Human(*time)),
            Self::Refuse => f.write_str("refuse"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_values_are_one() {
        for text in ["round-robin", "least-connections", "source-hash"] {
            assert_eq!(text.parse::<Policy>().unwrap().to_string(), text);
        }
        for text in ["hold", "hold:10s", "refuse"] {
            assert_eq!(text.parse::<WhenNoWorker>().unwrap().to_string(), text);
        }
        let ten = WhenNoWorker::Hold { refuse_after: Some(Duration::from_secs(10)) };
        assert_eq!(ten, WhenNoWorker::default());
        assert!("random".parse::<Policy>().is_err() && "hold:".parse::<WhenNoWorker>().is_err());
        assert!("wait".parse::<WhenNoWorker>().is_err());
    }
}

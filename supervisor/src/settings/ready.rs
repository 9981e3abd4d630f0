//! When a worker counts as ready, as people write it.

use super::duration::Human;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a descriptor's number may be, for who gave another.
pub(super) const FD: &str = "a worker can be given the descriptors 3 to 1023";

/// When a worker is ready, and thus gets connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ready {
    /// When it listens, or says `READY=1` to its `NOTIFY_SOCKET`, whichever comes first.
    Auto,
    /// When it listens.
    #[default]
    Listen,
    /// When it says `READY=1`.
    Notify,
    /// When it has accepted a connection of the supervisor's.
    Tcp,
    /// When it has answered a GET of this path with a status of 200 to 299.
    Http(String),
    /// So long after it first listened, or after its start where it does not listen and its boot is over.
    Delay(Duration),
    /// When it writes a newline to the descriptor of this number, which it inherits (as programs for s6 do); 3 to 1023.
    Fd(u16),
}

impl Ready {
    /// How long after it first listened, where that is what counts.
    pub(super) fn delay(&self) -> Option<Duration> {
        match self {
            Self::Delay(delay) => Some(*delay),
            Self::Auto | Self::Listen | Self::Notify | Self::Tcp | Self::Http(_) | Self::Fd(_) => None,
        }
    }
}

impl FromStr for Ready {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text.split_once(':') {
            None if text == "auto" => Self::Auto,
            None if text == "listen" => Self::Listen,
            None if text == "notify" => Self::Notify,
            None if text == "tcp" => Self::Tcp,
            Some(("http", path)) => Self::Http(path.to_owned()),
            Some(("delay", delay)) => {
                Self::Delay(delay.parse::<Human>().map_err(|fault| fault.to_string())?.0)
            }
            Some(("fd", number)) => Self::Fd(number.parse().map_err(|_| FD.to_owned())?),
            _ => {
                return Err(
                    "is none of auto, listen, notify, tcp, http:PATH, delay:DURATION, fd:N".to_owned()
                );
            }
        })
    }
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Listen => f.write_str("listen"),
            Self::Notify => f.write_str("notify"),
            Self::Tcp => f.write_str("tcp"),
            Self::Http(path) => write!(f, "http:{path}"),
            Self::Delay(delay) => write!(f, "delay:{}", Human(*delay)),
            Self::Fd(number) => write!(f, "fd:{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_values_are_one() {
        for text in ["auto", "listen", "notify", "tcp", "http:/health?a=b:c", "delay:1s500ms", "fd:3"] {
            assert_eq!(text.parse::<Ready>().unwrap().to_string().replace("1.5s", "1s500ms"), text);
        }
        for text in
            ["", "fd", "fd:", "fd:x", "fd:-1", "fd:70000", "http", "delay", "delay:", "delay:5", "Auto"]
        {
            assert!(text.parse::<Ready>().is_err(), "{text}");
        }
    }
}

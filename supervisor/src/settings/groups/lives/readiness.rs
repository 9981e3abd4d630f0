//! Options on when a worker that was started gets connections, and the tests of readiness as people write them.

use crate::settings::duration;
use crate::settings::duration::Human;
use crate::settings::error::FD;
use crate::settings::{ConfigError, OrNever, check_lengths, default_as_shown};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// When a worker gets connections.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Readiness")]
#[non_exhaustive]
pub struct Readiness {
    /// When a worker is ready and gets connections: listen (it listens), notify (it says READY=1 to its NOTIFY_SOCKET), auto
    /// (either), tcp (it has accepted a connection of ours), http:PATH (it has answered a GET with 2xx), delay:DURATION
    /// (so long after it listened), fd:N (it has written a newline to its descriptor N, as for s6) [default: listen; one that does not
    /// listen counts as running after --start-timeout]
    #[arg(long, value_name = "WHEN")]
    pub ready: Option<Ready>,
    /// A worker that is not ready within this is killed and started anew, if --ready is given or one has ever listened;
    /// else it counts as running
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse, default_value = "60s")]
    pub start_timeout: Duration,
    /// How many workers may be starting at a time [default: number of CPUs]
    #[arg(long, value_name = "N")]
    pub max_starting: Option<u32>,
}

default_as_shown!(Readiness);

impl Readiness {
    /// A worker is ready as soon as it listens.
    pub fn by_listening(&self) -> bool {
        matches!(self.ready, None | Some(Ready::Auto | Ready::Listen))
    }

    /// Somebody chose when a worker is ready: one that is not in time has failed.
    pub fn is_chosen(&self) -> bool {
        self.ready.is_some()
    }

    /// A worker that does not listen is ready so long after its start, if its boot is over by then; `None` is never.
    pub fn without_listening(&self) -> OrNever {
        self.ready.as_ref().and_then(Ready::delay)
    }

    pub(in crate::settings) fn check(&self) -> Result<(), ConfigError> {
        check_lengths([("start-timeout", Some(self.start_timeout)), ("ready", self.without_listening())])?;
        match &self.ready {
            Some(Ready::Http(path)) if !is_path(path) => return Err(ConfigError::ReadyPath(path.clone())),
            Some(Ready::Fd(number)) if !(3..1024).contains(number) => {
                return Err(ConfigError::ReadyFd(*number));
            }
            Some(_) | None => {}
        }
        if self.start_timeout.is_zero() && self.ready.is_some() {
            let advice =
                "with --ready no worker has this little time to be ready; give more, or leave --ready away";
            return Err(ConfigError::Zero { option: "start-timeout", advice });
        }
        if self.max_starting == Some(0) {
            return Err(ConfigError::MaxStarting);
        }
        Ok(())
    }
}

/// A request can ask for it.
fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic())
}

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
    fn delay(&self) -> Option<Duration> {
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
    fn a_path_is_what_a_request_can_hold() {
        for path in ["/", "/a?b=%20"] {
            assert!(is_path(path), "{path:?}");
        }
        for path in ["", "a", "/a b", "/\r\n", "/\u{e4}"] {
            assert!(!is_path(path), "{path:?}");
        }
    }

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

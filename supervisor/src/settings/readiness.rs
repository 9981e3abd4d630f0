//! Options on when a worker that was started gets connections.

use super::duration;
use super::{ConfigError, Ready, check_lengths, default_as_shown};
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

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let delay = self.ready.as_ref().and_then(Ready::delay);
        check_lengths([("start-timeout", Some(self.start_timeout)), ("ready", delay)])?;
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

//! Why a command line did not do what it was asked: an exit code, and one line unless nobody needs it.

use crate::io::control::wire::Declined;
use crate::io::output::plain::Plain;

/// What is wrong with the command line.
pub(in crate::cli) const USAGE: u8 = 2;
/// There is no such cluster or worker.
pub(in crate::cli) const ABSENT: u8 = 3;
/// Ctrl-C ended the waiting, as a shell calls it: 128 and the number of SIGINT.
pub(in crate::cli) const INTERRUPTED: u8 = 130;

/// Ends the program.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Failed {
    pub(in crate::cli) code: u8,
    pub(in crate::cli) message: Option<String>,
}

impl Failed {
    pub(in crate::cli) fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }

    /// Says nothing: the code is the answer, or nobody listens any more.
    pub(in crate::cli) fn silent(code: u8) -> Self {
        Self { code, message: None }
    }
}

impl From<Declined> for Failed {
    fn from(declined: Declined) -> Self {
        let mut message = Plain(&declined.error).to_string();
        for line in declined.stderr {
            message.push_str(&format!("\n  stderr: {}", Plain(&line)));
        }
        Self::new(declined.code, message)
    }
}

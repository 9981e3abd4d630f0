//! What can go wrong, as one line a person can act on. Holds no program logic but the exit code of each.

use std::io;

pub use crate::config::ConfigError;
pub use crate::io::control::place::ControlError;
pub use crate::io::launch::launch_spec::{PrivilegesError, RecipeError};
pub use crate::io::launch::program::ProgramError;
pub use crate::io::launch::thunk_file::ThunkError;
pub use crate::io::watch::place::WatchError;

/// Why a cluster did not start, or did not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option is wrong, or contradicts another.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The command cannot be run, or not as a worker.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// Where or with what variables workers are to run cannot be told.
    #[error(transparent)]
    Recipe(RecipeError),
    /// No file of the thunk that workers could load.
    #[error(transparent)]
    Thunk(#[from] ThunkError),
    /// The command of `before_start` has failed, so that nothing was started.
    #[error("{what}")]
    BeforeStart {
        /// The command, how it ended, and what it wrote last.
        what: String,
    },
    /// A cluster with these options can do nothing with the sockets that a service manager has passed.
    #[error("socket activation (LISTEN_FDS): {why}")]
    Activation {
        /// What stands against it, and what to do.
        why: &'static str,
    },
    /// What is to be watched for changes is not there.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// No control socket, or not the one that was asked for.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The system refused something that the supervisor cannot do without.
    #[error("{what}: {source}")]
    Os {
        /// What was attempted, without a full stop: `cannot create the request socket`.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl From<RecipeError> for Error {
    fn from(error: RecipeError) -> Self {
        match error {
            RecipeError::Program(error) => Self::Program(error),
            error => Self::Recipe(error),
        }
    }
}

impl Error {
    /// Wraps what the system said with what was attempted.
    pub fn os(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Os { what: what.into(), source: source.into() }
    }

    /// The exit code of the program: 2 where the caller's input is at fault, 1 otherwise.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Program(_)
            | Self::Recipe(_)
            | Self::Watch(_)
            | Self::Activation { .. } => 2,
            Self::Thunk(error) if error.is_input() => 2,
            Self::Control(error) if error.is_input() => 2,
            Self::Thunk(_) | Self::Control(_) | Self::BeforeStart { .. } | Self::Os { .. } => 1,
        }
    }
}

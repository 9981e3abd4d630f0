//! Where a control socket is to be, and why it cannot be there. Plain data.

use crate::config::{Config, Control as Wanted};
use std::fmt;
use std::path::PathBuf;

/// Where a cluster's control socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At this path and nowhere else; its directory exists.
    At(PathBuf),
    /// `NAME.sock` in the user's runtime directory.
    Named {
        name: String,
        /// No other name will do; else NAME-2, NAME-3 and so on are tried.
        exact: bool,
    },
}

impl Place {
    /// Where this cluster wants it, if at all.
    pub(crate) fn of(config: &Config) -> Option<Self> {
        match &config.control {
            Wanted::Off => None,
            Wanted::At(path) => Some(Self::At(path.clone())),
            Wanted::ByName => Some(Self::Named { name: config.name.clone(), exact: config.name_is_given }),
        }
    }
}

/// No control socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// A live cluster of this user has the name that was asked for.
    #[error(
        "--name {name}: {} runs a cluster of this name already ({path:?}); choose another name",
        Holder(*.pid)
    )]
    NameTaken {
        /// What was asked for.
        name: String,
        /// The other's socket.
        path: PathBuf,
        /// The other's supervisor, if the kernel tells.
        pid: Option<u32>,
    },
    /// Somebody listens at the path that was asked for.
    #[error("--control {path:?}: {} listens there already; choose another path", Holder(*.pid))]
    PathTaken {
        /// What was asked for.
        path: PathBuf,
        /// Who listens, if the kernel tells.
        pid: Option<u32>,
    },
    /// The path that was asked for cannot be used.
    #[error("--control {path:?}: {why}")]
    Path {
        /// What was asked for.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// None of the runtime directories can be used.
    #[error(
        "this cluster cannot be controlled from outside, for no directory can be used: {0}; give --control PATH or none"
    )]
    Unusable(Tried),
    /// The system refused something.
    #[error("this cluster cannot be controlled from outside: {0}")]
    Os(#[from] std::io::Error),
}

impl ControlError {
    /// Whether it is the caller's input that is at fault.
    pub(crate) fn is_input(&self) -> bool {
        match self {
            Self::NameTaken { .. } | Self::PathTaken { .. } | Self::Path { .. } => true,
            Self::Unusable(_) | Self::Os(_) => false,
        }
    }
}

/// What was tried, with why it failed, on one line.
#[derive(Debug)]
pub struct Tried(pub(super) Vec<(PathBuf, String)>);

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (path, why)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{path:?} ({why})")?;
        }
        Ok(())
    }
}

/// Who has a socket.
pub(super) struct Holder(pub(super) Option<u32>);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("another process"),
        }
    }
}

//! Where a cluster can be controlled from outside.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The control socket: a unix stream socket that the cluster's user, and root, may speak to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// `NAME.sock` in the user's runtime directory; if the name was not given and is taken, NAME-2, NAME-3 and so on.
    ByName,
    /// At this path, in a directory that exists.
    At(PathBuf),
    /// None.
    Off,
}

impl From<OsString> for Control {
    /// As the command line says it: a path, or `none`.
    fn from(text: OsString) -> Self {
        if text == "none" { Self::Off } else { Self::At(text.into()) }
    }
}

impl From<PathBuf> for Control {
    fn from(path: PathBuf) -> Self {
        Self::At(path)
    }
}

impl From<&Path> for Control {
    fn from(path: &Path) -> Self {
        Self::At(path.to_owned())
    }
}

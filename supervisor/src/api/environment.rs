//! The environment that a user of the library makes for a worker.

use std::ffi::OsString;

/// The environment of one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// The supervisor's own, and these on top.
    Inherited(Vec<(OsString, OsString)>),
    /// Nothing but these; not even `PATH`.
    Exhaustive(Vec<(OsString, OsString)>),
}

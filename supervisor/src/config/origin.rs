//! The command line of which a cluster was made, and how another is read and compared with it. It reads none itself: whoever read the first
//! one gives the reader.

use super::Config;
use crate::api::{Difference, Variables};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// Of a cluster that a program reads from words.
#[derive(Clone)]
pub(crate) struct Origin {
    /// From behind `run`.
    pub(crate) words: Vec<OsString>,
    /// Of its workers, beyond the environment of the supervisor.
    pub(crate) variables: Variables,
    /// The file of apps that it is one of.
    pub(crate) file: Option<PathBuf>,
    pub(crate) compare: Compare,
}

/// Reads the new words and compares them with the old ones; or says in one line what is wrong with them.
pub(crate) type Compare = fn(old: &[OsString], new: &[OsString]) -> Result<Comparison, String>;

/// What the new words are to the cluster that runs by the old ones.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) differences: Vec<Difference>,
    /// The new words, but for what takes a new supervisor: that is as in the old ones.
    pub(crate) words: Vec<OsString>,
    /// What these mean.
    pub(crate) config: Config,
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin")
            .field("words", &self.words)
            .field("variables", &self.variables)
            .finish_non_exhaustive()
    }
}

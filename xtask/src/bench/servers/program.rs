//! A command that is measured, before it is started.

use std::path::PathBuf;

/// A command that serves HTTP on PORT.
#[derive(Clone, Debug)]
pub(in crate::bench) struct Program {
    pub(super) words: Vec<PathBuf>,
}

impl Program {
    /// The same with one more argument.
    pub(in crate::bench) fn with(mut self, argument: &str) -> Self {
        self.words.push(argument.into());
        self
    }

    /// The same with `NAME=VALUE` in its environment.
    pub(in crate::bench) fn with_env(mut self, setting: &str) -> Self {
        self.words.splice(0..0, ["env".into(), setting.into()]);
        self
    }
}

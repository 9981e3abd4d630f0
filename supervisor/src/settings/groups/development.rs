//! Options for who writes the program: what is done when its files change.

use crate::settings::{ConfigError, default_as_shown};
use std::path::{Path, PathBuf};

/// What is done while the program is being written.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Development")]
#[non_exhaustive]
pub struct Development {
    /// Reload when this file, or a file below this folder, has changed; what .gitignore and .ignore exclude does not count;
    /// repeatable
    #[arg(long, value_name = "PATH")]
    pub watch: Vec<PathBuf>,
}

default_as_shown!(Development);

impl Development {
    pub(in crate::settings) fn check(&self) -> Result<(), ConfigError> {
        match self.watch.iter().any(|path| path == Path::new("")) {
            true => Err(ConfigError::EmptyPath { option: "watch" }),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_not_empty() {
        let watch = |paths: &[&str]| Development { watch: paths.iter().map(PathBuf::from).collect() }.check();
        assert_eq!(watch(&["src", "."]), Ok(()));
        assert_eq!(watch(&["src", ""]).unwrap_err().to_string(), "--watch: the path is empty");
    }
}

//! How the listeners of a program come to the cluster, as people write it. What it can be is found out from the program.

use std::fmt;
use std::str::FromStr;

/// How the listeners of a program come to the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Intercept {
    /// By the preloaded library; for programs that it cannot enter, which their file shows, by a seccomp filter.
    #[default]
    Auto,
    /// By the preloaded library.
    Preload,
    /// By a seccomp filter, whatever the program is.
    Seccomp,
}

const NAMES: [(&str, Intercept); 3] =
    [("auto", Intercept::Auto), ("preload", Intercept::Preload), ("seccomp", Intercept::Seccomp)];

impl FromStr for Intercept {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(name, _)| *name == text).map(|(_, intercept)| *intercept);
        found.ok_or_else(|| "is none of auto, preload, seccomp".to_owned())
    }
}

impl fmt::Display for Intercept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(_, intercept)| intercept == self).map_or("", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_values_are_one() {
        for (text, intercept) in NAMES {
            assert_eq!((text.parse(), intercept.to_string().as_str()), (Ok(intercept), text));
        }
        assert!("ptrace".parse::<Intercept>().is_err());
    }
}

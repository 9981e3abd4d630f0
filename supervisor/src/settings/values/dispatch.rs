//! How connections reach workers, as people write it. What it can be for one address is found out when that is listened on.

use std::fmt;
use std::str::FromStr;

/// How connections reach workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dispatch {
    /// As [`Dispatch::Credit`]. Where workers cannot accept by themselves connections are handed over, and `inspect` says why.
    #[default]
    Auto,
    /// Workers accept by themselves from the shared listening socket when they are given a credit. Where that cannot be,
    /// connections are handed over, and a warning says why.
    Credit,
    /// The supervisor accepts each connection and hands it to a worker.
    Handoff,
    /// Each worker listens on a socket of its own, and the kernel chooses among these: by an eBPF program where the supervisor may load
    /// one, else at random.
    Kernel,
}

const NAMES: [(&str, Dispatch); 4] = [
    ("auto", Dispatch::Auto),
    ("credit", Dispatch::Credit),
    ("handoff", Dispatch::Handoff),
    ("kernel", Dispatch::Kernel),
];

impl FromStr for Dispatch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(name, _)| *name == text).map(|(_, dispatch)| *dispatch);
        found.ok_or_else(|| "is none of auto, credit, handoff, kernel".to_owned())
    }
}

impl fmt::Display for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(_, dispatch)| dispatch == self).map_or("", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_values_are_one() {
        for (text, dispatch) in NAMES {
            assert_eq!((text.parse(), dispatch.to_string().as_str()), (Ok(dispatch), text));
        }
        assert!("shared".parse::<Dispatch>().is_err());
    }
}

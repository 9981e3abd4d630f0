//! What becomes of workers whose supervisor dies without having stopped them.

use std::fmt;
use std::str::FromStr;

/// What workers do when their supervisor is gone: killed, mostly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnSupervisorDeath {
    /// They stop: the first process of each gets SIGTERM from the kernel, and each that listens ends itself by SIGTERM.
    #[default]
    Stop,
    /// They live on and serve what they have. Nothing more comes to them, and nobody stops them.
    Keep,
}

impl FromStr for OnSupervisorDeath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "stop" => Ok(Self::Stop),
            "keep" => Ok(Self::Keep),
            _ => Err("is neither stop nor keep"),
        }
    }
}

/// The word that parses to it.
impl fmt::Display for OnSupervisorDeath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop => "stop",
            Self::Keep => "keep",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_read_as_it_is_written() {
        for text in ["stop", "keep"] {
            assert_eq!(text.parse::<OnSupervisorDeath>().unwrap().to_string(), text);
        }
        assert!("die".parse::<OnSupervisorDeath>().is_err());
    }
}

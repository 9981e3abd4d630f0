//! A command as one text, cut into words as a shell would cut it. No shell runs it, so what only a shell could do is refused, not passed on
//! as a word.

use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;

/// What a shell would take for itself.
const OPERATORS: [&str; 9] = ["&&", "||", "|", ";", "&", ">", ">>", "<", "2>&1"];

/// The program and its arguments; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommandLine(Vec<OsString>);

/// Why a text is no command that could be run without a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoCommand {
    Empty,
    Unclosed,
    Nul,
    Operator(String),
    /// `$` or a backquote.
    Expansion,
    /// It begins with `NAME=`.
    Variable(String),
}

/// The words of a text.
pub(crate) fn cut(text: &str) -> Result<Vec<String>, NoCommand> {
    if text.contains('\0') {
        return Err(NoCommand::Nul);
    }
    let words = shlex::split(text).ok_or(NoCommand::Unclosed)?;
    if let Some(operator) = words.iter().find(|word| OPERATORS.contains(&word.as_str())) {
        return Err(NoCommand::Operator(operator.clone()));
    }
    if text.contains('$') || text.contains('`') {
        return Err(NoCommand::Expansion);
    }
    match words.first().and_then(|word| word.split_once('=')) {
        Some((name, _)) if !name.contains('/') => Err(NoCommand::Variable(name.to_owned())),
        _ => Ok(words),
    }
}

impl CommandLine {
    /// Of these words, as they are; `None` where there is no program in them.
    pub fn of(words: impl IntoIterator<Item = impl Into<OsString>>) -> Option<Self> {
        let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
        words.first().is_some_and(|program| !program.is_empty()).then_some(Self(words))
    }

    /// The program, then its arguments.
    pub fn words(&self) -> &[OsString] {
        &self.0
    }
}

impl FromStr for CommandLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words = cut(text).map_err(|fault| fault.to_string())?;
        Self::of(words).ok_or_else(|| NoCommand::Empty.to_string())
    }
}

/// The words, in quotes where they need them.
impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, word) in self.0.iter().enumerate() {
            let word = word.to_string_lossy();
            let blank = if place == 0 { "" } else { " " };
            let is_plain = |letter: char| !letter.is_whitespace() && !"'\"\\".contains(letter);
            if !word.is_empty() && word.chars().all(is_plain) {
                write!(f, "{blank}{word}")?;
            } else {
                // It fails for a NUL byte alone, which no word has.
                write!(f, "{blank}{}", shlex::try_quote(&word).unwrap_or_default())?;
            }
        }
        Ok(())
    }
}

/// For the value of an option.
impl fmt::Display for NoCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no program in it"),
            Self::Unclosed => f.write_str("a quote in it is not closed"),
            Self::Nul => f.write_str("it holds a NUL byte"),
            Self::Operator(operator) => {
                write!(f, "no shell runs this, and {operator} means nothing without one: put it in a script")
            }
            Self::Expansion => {
                f.write_str("no shell runs this, and nothing is put in for $ or `: put it in a script")
            }
            Self::Variable(name) => {
                write!(f, "no shell runs this: for a variable write env {name}=.. before the program")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_as_a_shell_would() {
        let read = |text: &str| text.parse::<CommandLine>();
        let words = |text| read(text).unwrap().words().to_vec();
        assert_eq!(words("./notify.sh --to 'the team' a\\ b"), ["./notify.sh", "--to", "the team", "a b"]);
        assert_eq!(read("curl -d '@-' 'a b'").unwrap().to_string(), "curl -d @- 'a b'");
        for (text, why) in [
            ("", "no program"),
            ("''", "no program"),
            ("a 'b", "not closed"),
            ("a | b", "| means nothing"),
            ("a $HOME", "put in for $"),
            ("A=b c", "write env A=.."),
            ("a\0", "NUL"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}

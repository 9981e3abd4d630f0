//! `command`: a list of words, or one text that is cut into words as a shell would cut it. No shell runs it, so what only a shell could do
//! is refused, not passed on as a word.

use super::super::fault::{Fault, Span};
use super::value::kind;
use crate::settings::command_line::{self, NoCommand};
use toml::de::DeValue;

/// The program and its arguments.
pub(super) fn words(value: &DeValue<'_>, span: Span) -> Result<Vec<String>, Fault> {
    let bad = |span: Span, advice: &str| Fault::new(span, "bad value of `command`", advice);
    let words = match value {
        DeValue::String(text) => cut(text).map_err(|advice| bad(span.clone(), &advice))?,
        DeValue::Array(words) => {
            let mut all = Vec::new();
            for word in words.iter() {
                match word.get_ref() {
                    DeValue::String(text) => all.push(text.clone().into_owned()),
                    DeValue::Integer(number) if number.radix() == 10 => all.push(number.to_string()),
                    other => {
                        return Err(bad(
                            word.span(),
                            &format!("each word is a text, this is {}", kind(other)),
                        ));
                    }
                }
            }
            all
        }
        other => {
            let what = format!("`command` takes a list of words or one text, not {}", kind(other));
            return Err(Fault::new(span, what, "write [\"node\", \"server.js\"]"));
        }
    };
    match words.first() {
        None => Err(bad(span, "there is no program in it")),
        Some(program) if program.is_empty() => Err(bad(span, "the name of the program is empty")),
        Some(_) if words.iter().any(|word| word.contains('\0')) => Err(bad(span, "it holds a NUL byte")),
        Some(_) => Ok(words),
    }
}

/// The words of a text, or why it is none that could be run without a shell.
pub(in crate::app_file) fn cut(text: &str) -> Result<Vec<String>, String> {
    let shell = "write [\"sh\", \"-c\", \"..\"] if you want one";
    command_line::cut(text).map_err(|fault| match fault {
        NoCommand::Operator(operator) => {
            format!("no shell runs this, and {operator} means nothing without one: {shell}")
        }
        NoCommand::Expansion => format!(
            "no shell runs this, and nothing is put in for $ or `: {shell}, or a list of words to have them as they are"
        ),
        NoCommand::Variable(name) => format!("variables stand under `env`: env.{name} = \"..\""),
        NoCommand::Empty | NoCommand::Unclosed | NoCommand::Nul => fault.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_as_a_shell_would() {
        for (text, words) in [
            ("node server.js --port 80", &["node", "server.js", "--port", "80"][..]),
            ("./my\\ server 'a b' \"c d\"", &["./my server", "a b", "c d"]),
            ("a=b/c", &["a=b/c"]),
        ] {
            let cut = cut(text);
            if text.starts_with("a=") {
                assert!(cut.unwrap_err().contains("env.a"));
            } else {
                assert_eq!(cut.unwrap(), words, "{text}");
            }
        }
    }

    #[test]
    fn what_only_a_shell_could_do_is_refused() {
        for (text, why) in [
            ("cd web && node server.js", "&& means nothing"),
            ("node server.js > log", "> means nothing"),
            ("node server.js --port $PORT", "put in for $"),
            ("PORT=80 node server.js", "env.PORT"),
            ("node 'server.js", "not closed"),
        ] {
            let told = cut(text).unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}

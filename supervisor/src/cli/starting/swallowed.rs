//! Options of `clustermon run` that stand after COMMAND and so are the program's. People who come from other process managers
//! write them there. It finds those that look meant for us; it changes nothing.

use crate::cli::Cli;
use crate::cli::output::shell::quoted;
use clap::{CommandFactory, Parser};
use std::ffi::{OsStr, OsString};

/// What programs have as well, and often: to name them would be noise.
const COMMON: [&str; 6] = ["-v", "--verbose", "-h", "--help", "-V", "--version"];

/// The warning, if one is due: of these words of a whole command line the last `command` are COMMAND and its arguments.
pub(in crate::cli) fn warning(words: &[OsString], command: usize) -> Option<String> {
    let (before, command) = words.split_at_checked(words.len().checked_sub(command)?)?;
    let (program, arguments) = command.split_first()?;
    // Whoever writes the dashes knows where the program's arguments begin.
    if before.last().is_some_and(|word| word == "--") {
        return None;
    }
    let end = arguments.iter().position(|word| word == "--").unwrap_or(arguments.len());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut rest = &arguments[..end];
    while let Some((word, tail)) = rest.split_first() {
        let taken = length(word, tail.first());
        if taken == 0 {
            theirs.push(word);
            rest = tail;
        } else {
            let (option, tail) = rest.split_at(taken);
            ours.extend(option);
            rest = tail;
        }
    }
    theirs.extend(&arguments[end..]);
    if ours.is_empty() {
        return None;
    }
    let said = |words: &[&OsString]| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    let corrected: Vec<_> =
        before.iter().skip(1).chain(ours.iter().copied()).chain([program]).chain(theirs).collect();
    Some(format!(
        "`{}` stands after the command and is given to it; if clustermon was meant: clustermon {}; if not, write `--` before {}",
        said(&ours),
        said(&corrected),
        quoted(program)
    ))
}

/// How many words an option of ours makes up that begins here, with a value that it can have; 0 if none does.
fn length(word: &OsStr, next: Option<&OsString>) -> usize {
    let name = word.to_str().unwrap_or_default();
    let name = name.split_once('=').map_or(name, |(name, _)| name);
    if !name.starts_with('-') || COMMON.contains(&name) {
        return 0;
    }
    let parses = |words: &[&OsStr]| {
        let line = ["clustermon", "run"].map(OsStr::new).into_iter().chain(words.iter().copied());
        let read = Cli::try_parse_from(line.chain(["--", "x"].map(OsStr::new)));
        // That another option is missing or contradicts is for later.
        let odd = |error: &clap::Error| error.kind() == clap::error::ErrorKind::MissingRequiredArgument;
        read.as_ref().err().is_none_or(odd)
    };
    if parses(&[word]) && is_known(name) {
        return 1;
    }
    match next {
        Some(value) if is_known(name) && parses(&[word, value]) => 2,
        _ => 0,
    }
}

/// An option by this name in full, that people are meant to use.
fn is_known(name: &str) -> bool {
    let command = Cli::command();
    let Some(run) = command.find_subcommand("run") else { return false };
    run.get_arguments().filter(|option| !option.is_hide_set()).any(|option| {
        let short = option
            .get_short()
            .is_some_and(|short| name.strip_prefix('-').is_some_and(|rest| rest.starts_with(short)));
        let long = option.get_long().is_some_and(|long| name.strip_prefix("--") == Some(long));
        short || long
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `clustermon run BEFORE.. COMMAND..`.
    fn told(before: &[&str], command: &[&str]) -> Option<String> {
        let words = ["clustermon", "run"].iter().chain(before).chain(command).map(OsString::from);
        warning(&words.collect::<Vec<_>>(), command.len())
    }

    #[test]
    fn what_was_meant_for_us_is_shown_where_it_belongs() {
        for (before, command, ours, corrected) in [
            (&[][..], &["python3", "s.py", "-n", "5"][..], "-n 5", "run -n 5 python3 s.py"),
            (&[], &["python3", "s.py", "-n5", "x"], "-n5", "run -n5 python3 s.py x"),
            (&["-n", "2"], &["node", "s.js", "--detach"], "--detach", "run -n 2 --detach node s.js"),
            (
                &[],
                &["node", "s.js", "--log", "a b", "--name=web"],
                "--log 'a b' --name=web",
                "run --log 'a b' --name=web node s.js",
            ),
            (
                &[],
                &["node", "s.js", "--workers", "auto", "--", "-n", "5"],
                "--workers auto",
                "run --workers auto node s.js -- -n 5",
            ),
            (
                &[],
                &["node", "s.js", "--no-surge", "it's"],
                "--no-surge",
                r"run --no-surge node s.js 'it'\''s'",
            ),
        ] {
            let told = told(before, command).unwrap_or_else(|| panic!("{command:?}"));
            assert!(told.starts_with(&format!("`{ours}` stands after the command")), "{told}");
            assert!(told.contains(&format!("clustermon {corrected};")), "{told}");
            assert!(told.ends_with(&format!("write `--` before {}", command[0])), "{told}");
        }
    }

    #[test]
    fn what_is_the_programs_is_left_in_peace() {
        for (before, command) in [
            (&["--"][..], &["python3", "s.py", "-n", "5"][..]),
            (&[], &["node", "s.js"]),
            (&[], &["node", "s.js", "--port", "80", "-p", "1"]),
            // Its value is none that we could have.
            (&[], &["celery", "worker", "-n", "w1@%h"]),
            (&[], &["php", "-n", "-S", "localhost:80"]),
            (&[], &["node", "s.js", "-n"]),
            (&[], &["node", "s.js", "--lag-limit", "soon"]),
            (&[], &["node", "-v", "s.js", "--verbose", "--help"]),
            (&[], &["node", "s.js", "--detached"]),
            (&[], &["node", "s.js", "--", "-n", "5"]),
            (&[], &["node", "s.js", "--work", "5"]),
            (&[], &["node"]),
        ] {
            assert_eq!(told(before, command), None, "{command:?}");
        }
    }
}

//! What somebody may have meant who gave an option or a command that does not exist: what other programs of this kind call it,
//! or a slip of the pen. Better nothing than a guess.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What process managers and servers call what `run` has under another name.
const OPTIONS: [(&[&str], &str); 8] = [
    (&["--daemon", "--daemonize", "--background", "-D", "-b"], "to run in the background: -d, or --detach"),
    (
        &["-i", "--instances", "-w", "-j", "--processes", "--replicas", "-c"],
        "for the number of workers: -n N",
    ),
    (
        &["--max-memory-restart", "--max-memory"],
        "to replace workers that hold too much memory: --memory-limit SIZE",
    ),
    (
        &["--log-file", "--output", "--error", "-o", "-e", "-l"],
        "for a log of a cluster in the background: --detach --log FILE",
    ),
    (&["--time", "--timestamp", "--log-date-format"], "for the time in log lines: --log-time on"),
    (&["--env", "-E"], "for variables: NAME=value before clustermon, or --env-file FILE"),
    (&["--chdir", "--directory", "--workdir"], "for where workers run: --cwd DIR"),
    (
        &["-p", "--port", "--bind", "--host", "--address", "--listen"],
        "the address is the program's affair: give its own options after COMMAND",
    ),
];

/// The same for commands.
const COMMANDS: [(&[&str], &str); 6] = [
    (&["ls", "ps"], "the clusters that run: list"),
    (
        &["logs", "log", "tail", "monit", "watch"],
        "what happens, as it happens: events; where the log is: status",
    ),
    (&["delete", "kill", "rm", "down", "quit", "exit"], "to end a cluster: stop, or force-stop"),
    (&["serve", "exec", "up", "launch"], "to start a cluster: run"),
    (&["show", "describe", "info"], "all there is to know: inspect"),
    (&["reopen-logs", "reloadlogs", "rotate", "flush"], "to open the log anew: reopen"),
];

/// What to say behind a complaint about the command line; `names` are what could have been given there.
pub(super) fn for_error<'a>(error: &clap::Error, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let (kind, known) = match error.kind() {
        ErrorKind::UnknownArgument => (ContextKind::InvalidArg, &OPTIONS[..]),
        ErrorKind::InvalidSubcommand => (ContextKind::InvalidSubcommand, &COMMANDS[..]),
        _ => return None,
    };
    let Some(ContextValue::String(given)) = error.get(kind) else { return None };
    let given = given.split_once('=').map_or(given.as_str(), |(name, _)| name);
    let told = known.iter().find(|(others, _)| others.contains(&given)).map(|(_, told)| (*told).to_owned());
    let told = told.or_else(|| nearest(given, names).map(|name| format!("did you mean {name}?")));
    let run = || "to run a program: clustermon run -- PROGRAM ARGUMENTS".to_owned();
    told.or_else(|| (kind == ContextKind::InvalidSubcommand).then(run))
}

/// The name that differs by a slip or two, or of which this is the beginning; none if there are two as near.
fn nearest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bare = given.trim_start_matches('-');
    // Of a short word every slip makes another.
    let most = match bare.len() {
        0..=2 => return None,
        3..=5 => 1,
        _ => 2,
    };
    let distance = |name: &str| {
        let begins = bare.len() > 3 && name.trim_start_matches('-').starts_with(bare);
        if begins { 1 } else { slips(given, name) }
    };
    let mut found: Vec<_> =
        names.map(|name| (distance(name), name)).filter(|(far, _)| *far <= most).collect();
    found.sort_unstable();
    match found[..] {
        [(first, _), (second, _), ..] if first == second => None,
        [(_, name), ..] => Some(name),
        [] => None,
    }
}

/// How many letters were added, left out, mistaken or exchanged with their neighbours.
fn slips(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            if i == 0 || j == 0 {
                table[i][j] = i + j;
                continue;
            }
            let mistaken = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = mistaken.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(table[i - 2][j - 2] + 1);
            }
            table[i][j] = least;
        }
    }
    table[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::complaint;

    fn said(words: &str) -> String {
        let words: Vec<_> = std::iter::once("clustermon").chain(words.split(' ')).collect();
        complaint(&words).unwrap_or_else(|| panic!("{words:?} is fine"))
    }

    #[test]
    fn what_others_call_it() {
        for (words, hint) in [
            ("run --daemon x", "to run in the background: -d, or --detach"),
            ("run -D x", "to run in the background: -d, or --detach"),
            ("run --instances=4 x", "for the number of workers: -n N"),
            ("run --port 80 x", "after COMMAND"),
            ("ls", "the clusters that run: list"),
            ("node web.js", "to run a program: clustermon run -- PROGRAM ARGUMENTS"),
            ("kill web", "to end a cluster: stop"),
        ] {
            let said = said(words);
            assert!(said.contains(hint) && !said.contains("tip"), "{words}: {said}");
        }
    }

    #[test]
    fn slips_of_the_pen() {
        for (words, hint) in [
            ("run --wrokers 2 x", "did you mean --workers?"),
            ("run --detatch x", "did you mean --detach?"),
            ("run --memory 2 x", "; `clustermon run --help` tells more"),
            ("run --log-fromat json x", "did you mean --log-format?"),
            ("stop --wiat", "did you mean --wait?"),
            ("statsu", "did you mean status?"),
        ] {
            let said = said(words);
            assert!(said.ends_with(hint), "{words}: {said}");
        }
    }

    #[test]
    fn no_guess_is_better_than_a_bad_one() {
        for words in ["run --demon x", "run --zzz x", "run -q x", "run --dr x"] {
            let said = said(words);
            assert!(
                !said.contains("did you mean") && !said.contains("tip") && said.contains("tells more"),
                "{said}"
            );
        }
    }

    #[test]
    fn slips_are_counted() {
        for (a, b, count) in [
            ("", "", 0),
            ("ab", "ba", 1),
            ("workers", "wrokers", 1),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(slips(a, b), count, "{a} {b}");
        }
    }
}

//! What somebody may have meant who gave an option or a command that does not exist: what other programs of this kind call it,
//! or a slip of the pen. Better nothing than a guess.

use crate::spelling::nearest;
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
    (
        &["monit", "watch", "top"],
        "how workers are, again and again: status --watch; what happens, as it happens: events",
    ),
    (&["log", "tail"], "what was written last: logs"),
    (&["delete", "kill", "rm", "quit", "exit"], "to end a cluster: stop, or force-stop"),
    (&["serve", "exec", "launch"], "to start a cluster: run; or the apps of a file: up"),
    (&["startup", "service", "install", "systemd"], "to have systemd start it at each boot: unit"),
    (&["reopen-logs", "reloadlogs", "rotate"], "to open the log anew: reopen"),
];

/// What to say behind a complaint about the command line; `names` are what could have been given there.
pub(in crate::cli) fn for_error<'a>(
    error: &clap::Error,
    names: impl Iterator<Item = &'a str>,
) -> Option<String> {
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

#[cfg(test)]
mod tests {
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
            ("monit", "status --watch"),
            ("tail web", "what was written last: logs"),
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
}

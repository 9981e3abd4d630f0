//! What `-h` and `--help` show: commands in groups, and of options in `-h` those that are used most. The words stand with the commands and
//! options themselves.

use super::{Cli, EXIT_CODES};
use clap::{Command, CommandFactory};
use std::fmt::Write;

/// The commands by what they are for, the most used first: `-h` shows so many of each group.
const GROUPS: [(&str, usize, &[&str]); 4] = [
    ("Start", 3, &["run", "up", "down", "init", "check", "schema", "unit", "doctor"]),
    ("Look", 4, &["list", "status", "logs", "describe", "inspect", "events"]),
    ("Change", 5, &["reload", "restart", "stop", "start", "scale", "reopen", "flush"]),
    ("Single workers", 0, &["cordon", "uncordon", "signal", "hang-up", "force-stop", "dump", "debug"]),
];

/// The options of `run` that `-h` shows, by their long names.
const USUAL: [&str; 12] = [
    "workers",
    "name",
    "detach",
    "log",
    "cwd",
    "env-file",
    "ready",
    "respawn",
    "stop-timeout",
    "watch",
    "memory-limit",
    "capture",
];

const SHOWN: &str = "Clusters, or workers of them: [NAME][/ID], or all; NAME may be left out of /ID when exactly one cluster of this user runs [default: all that run]";

const TEMPLATE: &str =
    "{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}Options:\n{options}{after-help}";

/// The whole command line, as help shows it.
pub(super) fn command() -> Command {
    let whole = Cli::command();
    let (short, long) = (groups(&whole, false), groups(&whole, true));
    // Who wants to see something and names nobody sees all.
    let whole = ["status", "describe", "inspect"].into_iter().fold(whole, |whole, view| {
        whole.mut_subcommand(view, |view| view.mut_arg("targets", |arg| arg.help(SHOWN)))
    });
    whole
        .help_template(TEMPLATE)
        .before_help(short)
        .before_long_help(long)
        .after_help("`clustermon --help` shows all commands, `clustermon COMMAND -h` what one takes.")
        .after_long_help(EXIT_CODES)
        .mut_subcommand("run", |run| {
            run.mut_args(|arg| {
                let is_usual = arg.get_long().is_none_or(|long| USUAL.contains(&long));
                arg.hide_short_help(!is_usual)
            })
            .after_help("These are the options used most; `clustermon run --help` shows all.")
            .after_long_help(EXIT_CODES)
        })
}

/// The groups of commands with what each command does, all of them or those used most.
fn groups(whole: &Command, all: bool) -> String {
    let mut text = String::new();
    for (head, usual, names) in GROUPS {
        let shown = if all { names } else { &names[..usual] };
        if shown.is_empty() {
            continue;
        }
        // Formatting into a string cannot fail.
        let _ = writeln!(text, "{head}:");
        for command in shown.iter().filter_map(|name| whole.find_subcommand(name)) {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let aliases: Vec<_> = command.get_visible_aliases().collect();
            let aliases = if aliases.is_empty() {
                String::new()
            } else {
                format!(" [aliases: {}]", aliases.join(", "))
            };
            let about = wrapped(&format!("{about}{aliases}"));
            let _ = writeln!(text, "  {:<10}  {about}", command.get_name());
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// In lines of 80 columns, below each other behind the name of the command.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 66;
    let (mut lines, mut length) = (String::new(), 0);
    for word in text.split(' ') {
        let more = word.chars().count() + 1;
        if length > 0 {
            let breaks = length + more > WIDTH;
            lines.push_str(if breaks { "\n              " } else { " " });
            length = if breaks { 0 } else { length };
        }
        lines.push_str(word);
        length += more;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let mut grouped: Vec<_> = GROUPS.iter().flat_map(|(_, _, names)| names.iter().copied()).collect();
        let whole = Cli::command();
        let mut known: Vec<_> = whole.get_subcommands().map(Command::get_name).collect();
        grouped.sort_unstable();
        known.sort_unstable();
        assert_eq!(grouped, known);
    }

    #[test]
    fn every_usual_option_exists_and_the_short_help_is_a_screenful() {
        let mut whole = command();
        whole.build();
        let short = whole.render_help().to_string();
        assert!(
            short.lines().count() <= 32 && short.contains("Change:") && !short.contains("cordon"),
            "{short}"
        );
        let long = whole.render_long_help().to_string();
        assert!(long.contains("Single workers:") && long.contains("Exit codes:"), "{long}");
        let run = whole.find_subcommand_mut("run").unwrap();
        for name in USUAL {
            assert!(run.get_arguments().any(|arg| arg.get_long() == Some(name)), "{name}");
        }
        let (short, long) = (run.render_help().to_string(), run.render_long_help().to_string());
        for name in USUAL {
            assert!(short.contains(&format!("--{name}")), "{name} is not in {short}");
        }
        assert!(short.lines().count() <= 56 && !short.contains("--backlog"), "{short}");
        assert!(long.contains("--backlog") && long.contains("Exit codes:"), "{long}");
    }
}

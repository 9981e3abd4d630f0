//! `cargo xtask run`: builds what a user would install (the release profile) and becomes it. It stands between the
//! user and the supervisor no longer than that: signals, exit code and working folder are the supervisor's own.

use crate::project::{self, Profile};
use crate::{Result, build, say};
use std::collections::HashSet;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

pub(crate) fn main(args: &[String]) -> Result<ExitCode> {
    let args = without_first_dashes(args);
    // Release: what is tried out here is judged by its speed. The first build takes half a minute on two processors,
    // a debug one two thirds of that.
    let built = build::build(Profile::Release)?;
    let mut clustermon = Command::new(&built.clustermon);
    clustermon.arg("run").args(args);
    if !names_a_command(args, &help(&built.clustermon)?) {
        if !args.iter().any(|arg| arg == "--") {
            clustermon.arg("--");
        }
        clustermon.arg(build::demo_worker()?);
        let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
        say(&format!(
            "demo workers: open http://127.0.0.1:{port}/ or try: curl http://127.0.0.1:{port}/ (Ctrl-C stops)"
        ));
    }
    project::forget_cargo(&mut clustermon)?;
    Err(format!("cannot start {}: {}", built.clustermon.display(), clustermon.exec()).into())
}

/// As after `cargo run`, options may follow a `--` of their own: no command begins with a dash.
fn without_first_dashes(args: &[String]) -> &[String] {
    match args {
        [dashes, next, ..] if dashes == "--" && next.starts_with('-') => &args[1..],
        _ => args,
    }
}

fn help(clustermon: &std::path::Path) -> Result<String> {
    let output = Command::new(clustermon).args(["run", "--help"]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a command stands among the arguments, or a wish for help, which needs none. Only the supervisor knows
/// which of its options take a value, so that is read from its help.
fn names_a_command(args: &[String], help: &str) -> bool {
    let valued = options_with_value(help);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--" => return args.next().is_some(),
            "-h" | "--help" => return true,
            option if option.starts_with('-') && option.len() > 1 => {
                if valued.contains(option) {
                    args.next();
                }
            }
            _ => return true,
        }
    }
    false
}

/// `  -n, --workers <N|auto>` names two options that take a value.
fn options_with_value(help: &str) -> HashSet<&str> {
    let mut valued = HashSet::new();
    for line in help.lines().map(str::trim_start).filter(|line| line.starts_with('-')) {
        let names = line.split([' ', ',']).filter(|word| !word.is_empty());
        let names: Vec<&str> = names.take_while(|word| word.starts_with('-')).collect();
        let rest = names.last().and_then(|last| line.split_once(last)).map_or("", |(_, rest)| rest);
        if rest.trim_start_matches([' ', '=', '[']).starts_with('<') {
            valued.extend(names);
        }
    }
    valued
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "\
Usage: clustermon run [OPTIONS] [--] <COMMAND>...

Options:
  -n, --workers <N|auto>     How many <workers>
      --window <N>
          Connections that may wait
  -v, --verbose...           More, e.g. <nothing>
  -h, --help                 Print help
";

    fn named(line: &str) -> bool {
        names_a_command(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>(), HELP)
    }

    #[test]
    fn a_value_is_no_command() {
        assert!(!named(""));
        assert!(!named("-n 4"));
        assert!(!named("-v --window 2 --name=x"));
        assert!(!named("-n 4 --"));
    }

    #[test]
    fn a_command_is_seen_with_and_without_dashes() {
        assert!(named("-- node server.js"));
        assert!(named("node server.js"));
        assert!(named("-n 4 node"));
        assert!(named("-v node"));
        assert!(named("--help"));
    }

    #[test]
    fn options_may_follow_dashes_of_their_own() {
        let cut = |line: &str| {
            let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            without_first_dashes(&args).join(" ")
        };
        assert_eq!(cut("-- -n 4 -- node server.js"), "-n 4 -- node server.js");
        assert_eq!(cut("-- --help"), "--help");
        assert_eq!(cut("-- node -v"), "-- node -v");
        assert_eq!(cut("-n 4 -- node"), "-n 4 -- node");
        assert_eq!(cut("--"), "--");
    }
}

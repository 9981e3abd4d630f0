//! docs/options.md, made from the definition of `clustermon run`: a table for each group of options. It exists in tests alone.

use crate::cli::Cli;
use clap::{Arg, ArgAction, Command, CommandFactory};
use std::fmt::Write;
use std::fs;
use std::path::Path;

const HEAD: &str = "\
# Options of `clustermon run`

    clustermon run [OPTIONS] [--] COMMAND [ARGS]...

What follows COMMAND is the program's. The library has a method of the same name for each option (`--max-surge` is `max_surge`).
Durations read `500ms`, `2s`, `1m30s`; where `off` is possible `0` means the same.

This page is made by `UPDATE_DOCS=1 cargo xtask test options_page`; do not edit it.
";

/// The page, from the definition of the command.
fn page(run: &Command) -> String {
    let mut text = HEAD.to_owned();
    let options = || {
        run.get_arguments()
            .filter(|arg| !arg.is_hide_set() && arg.get_long().is_some_and(|long| long != "help"))
    };
    let mut groups = Vec::new();
    for arg in options() {
        let group = arg.get_help_heading().unwrap_or("Cluster");
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    for group in groups {
        write!(text, "\n## {group}\n\n| option | meaning | default |\n|---|---|---|\n").unwrap();
        for arg in options().filter(|arg| arg.get_help_heading().unwrap_or("Cluster") == group) {
            let (meaning, default) = meaning_and_default(arg);
            writeln!(text, "| {} | {meaning} | {default} |", flags(arg)).unwrap();
        }
    }
    text
}

/// How the option is written.
fn flags(arg: &Arg) -> String {
    let short = arg.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    let value = match arg.get_action() {
        ArgAction::SetTrue | ArgAction::Count | ArgAction::Help => String::new(),
        _ => {
            let names = arg.get_value_names().unwrap_or_default();
            format!(" {}", names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" "))
        }
    };
    format!("`{short}--{}{}`", arg.get_long().unwrap_or_default(), value.replace('|', "\\|"))
}

/// What its help says, and the default: where that is no value of its own, the help has it in brackets.
fn meaning_and_default(arg: &Arg) -> (String, String) {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let (meaning, said) = match help.split_once(" [default: ") {
        Some((meaning, default)) => (meaning.to_owned(), default.trim_end_matches(']').to_owned()),
        None => (help, String::new()),
    };
    let values: Vec<_> = arg.get_default_values().iter().filter_map(|value| value.to_str()).collect();
    let is_switch = matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Count | ArgAction::Help);
    let default = match values.join(" ") {
        value if !value.is_empty() && !is_switch => format!("`{value}`"),
        _ => said,
    };
    (meaning.replace('|', "\\|"), default.replace('|', "\\|"))
}

#[test]
fn the_page_is_what_the_command_says() {
    let mut command = Cli::command();
    command.build();
    let text = page(command.find_subcommand("run").unwrap());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/options.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == text, "docs/options.md is old: UPDATE_DOCS=1 cargo xtask test options_page");
}

//! What the command line accepts, what it says of what it does not, and its help.

use super::Cli;
use super::CliCommand;
use super::one_line;
use super::run;
use crate::config::{Builder, Control};
use clap::{CommandFactory, Parser};

fn parse(args: &[&str]) -> Result<run::Args, String> {
    let words = ["clustermon", "run"].iter().chain(args);
    match Cli::try_parse_from(words) {
        Ok(Cli { command: CliCommand::Run(args) }) => Ok(*args),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(one_line(&error.to_string())),
    }
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn what_follows_the_command_belongs_to_it() {
    let args = ["-n", "2", "node", "server.js", "--port", "1", "-n", "9", "--", "--name"];
    let config = parse(&args).unwrap().config().unwrap();
    assert_eq!(config.command, ["node", "server.js", "--port", "1", "-n", "9", "--", "--name"]);
    assert_eq!(config.logical_ids, ["0", "1"]);
    assert_eq!(config.name, "server");

    let config = parse(&["--", "-odd", "--help"]).unwrap().config().unwrap();
    assert_eq!(config.command, ["-odd", "--help"]);
}

#[test]
fn every_fault_is_one_line_that_names_it() {
    for (args, expected) in [
        (&["--wrokers", "2", "x"][..], "'--wrokers'"),
        (&["--workers", "many", "x"], "give 1 to 1024, or auto"),
        (&["-n", "0", "x"], "--workers 0: give 1 to 1024"),
        (&["-n", "1025", "x"], "--workers 1025: give 1 to 1024"),
        (&["-n", "-1", "x"], "give 1 to 1024"),
        (&["-n", "2", "--logical-ids", "5,6", "x"], "give one of them"),
        (&["--logical-ids", "5,6,5", "x"], "5 is given twice"),
        (&["--logical-ids", "5,,6", "x"], "--logical-ids: \"\""),
        (&["--logical-ids", "5, 6", "x"], "--logical-ids: \" 6\""),
        (&["--respawn", "-2", "x"], "--respawn -2"),
        (
            &["--restart-delay", "5", "x"],
            "--restart-delay <DURATION>': this has no unit; write for example 500ms",
        ),
        (&["--restart-delay", "1m", "x"], "--restart-delay 1m is longer than --max-restart-delay 30s"),
        (&["--stop-timeout", "soon", "x"], "neither a duration nor `infinity`"),
        (&["--stop-timeout", "-1s", "x"], "neither a duration"),
        (&["--lag-limit", "infinity", "x"], "nor `off`"),
        (&["--window", "0", "x"], "--window 0"),
        (&["--backlog", "3000000000", "x"], "--backlog 3000000000"),
        (&["--max-starting", "0", "x"], "--max-starting 0"),
        (&["--server-restart-delay", "0", "x"], "--server-restart-delay 0: "),
        (&["--start-timeout", "0", "--ready", "tcp", "x"], "--start-timeout 0: "),
        (&["--drain-timeout", "0", "x"], "--drain-timeout 0: "),
        (&["--idle-grace", "0s", "x"], "--idle-grace 0: "),
        (&["--max-connections", "0", "x"], "--max-connections 0: "),
        (&["--memory-limit", "0", "x"], "--memory-limit"),
        (&["--memory-limit", "0%", "x"], "--memory-limit"),
        (&["--memory-samples", "0", "x"], "--memory-samples 0: "),
        (&["--recycle-after-connections", "0", "x"], "--recycle-after-connections 0: "),
        (&["--ready", "fd:0", "x"], "--ready"),
        (&["--stop-signal", "0", "x"], "--stop-signal"),
        (&["--dump-signal", "0", "x"], "--dump-signal"),
        (&["--share", "nowhere", "x"], "--share \"nowhere\": write an address as"),
        (&["--private", "*:9-1", "x"], "--private \"*:9-1\": write an address as"),
        (&["--private", "*:9", "--share", "*:9", "x"], "*:9 is given to both"),
        (&["--name", "a/b", "x"], "--name \"a/b\""),
        (&["--thunk", "", "x"], "--thunk"),
        (&["--base-port", "4000", "x"], "give --placeholders too"),
        (&["--base-port", "0", "x"], "--base-port"),
        (&["--placeholders", "x", "{port}"], "{port} is in the command: give --base-port"),
        (&["--placeholders", "--base-port", "65535", "-n", "2", "x"], "--base-port 65535: there are not"),
        (&["--control", "", "x"], "--control: the path is empty"),
        (&["--log", "file", "x"], "--detach"),
        (&["--interpreter", "", "x"], "--interpreter: the name is empty"),
        (&["--interpreter-arg", "-r", "x"], "give --interpreter too"),
        (&["--encoding", "raw", "x"], "give --capture too"),
        (&["--encoding", "ascii", "--capture", "x"], "give utf-8, latin1 or raw"),
        (&["--log-format", "xml", "x"], "give text or json"),
        (&["--log-time", "yes", "x"], "give auto, on or off"),
        (&[], "no command given"),
        (&[""], "no command given"),
    ] {
        let told = parse(args).and_then(|args| args.config().map_err(|e| e.to_string())).unwrap_err();
        assert!(told.contains(expected), "{args:?}: {told}");
        assert!(!told.contains('\n') && !told.contains("Usage"), "{args:?}: {told}");
    }
}

#[test]
fn defaults_are_those_of_the_builder() {
    let by_cli = parse(&["x"]).unwrap().config().unwrap();
    let by_builder = Builder::new(["x"]).handle_signals(true).control(Control::ByName);
    assert_eq!(by_cli, by_builder.build().unwrap());
}

#[test]
fn help_shows_defaults() {
    let mut command = super::help::command();
    let help = command.find_subcommand_mut("run").unwrap().render_long_help().to_string();
    for shown in [
        "100ms",
        "30s",
        "10s",
        "4096",
        "[default: 2]",
        "[default: -1]",
        "[default: auto, the CPUs",
        "Exit codes",
    ] {
        assert!(help.contains(shown), "{shown} is not in:\n{help}");
    }
}

#[test]
fn in_the_background_what_has_no_other_place_is_captured() {
    use crate::config::Capture;
    let captures = |words: &[&str]| {
        let config = parse(words).unwrap().config().unwrap();
        config.settings.output.capture == Capture::Streams
    };
    assert!(captures(&["-d", "x"]) && captures(&["-d", "--log", "f", "--capture", "x"]));
    assert!(!captures(&["-d", "--log", "f", "x"]) && !captures(&["x"]));
    // A pipe that nobody reads any more would end who writes to it.
    assert!(!captures(&["-d", "--on-supervisor-death", "keep", "x"]));
}

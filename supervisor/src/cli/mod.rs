//! The command line: arguments in, exit code out. It checks nothing that the builder checks.

mod apps;
mod connection;
mod doctor;
mod help;
#[cfg(test)]
mod options_page;
mod orders;
mod output;
mod starting;
mod units;
mod views;

use crate::api::Action;
use crate::io::kernel::dispositions;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use orders::{order, reopen};
use output::complaint::{complain, one_line};
use output::failed::Failed;
use output::hint;
use starting::comparing::compare;
use starting::run;
use std::process::ExitCode;
use views::{describe, events, inspect, list, logs, status};

const EXIT_CODES: &str = "\
Exit codes:
  0  done; of run: the cluster was told to stop, and stopped
  1  failed; of run: every worker has spent its restarts, or the supervisor could not go on;
     of doctor: the command will not work
  2  the command line or the command is at fault; nothing was started or changed
  3  there is no such cluster or worker
  4  the --wait-timeout is over, and it is still under way
  5  a reload was not done: a new process came to nothing, somebody aborted it, or a newer
     one took its place; the old processes go on
  130  Ctrl-C ended the waiting, and what was asked for goes on";

/// Runs N copies of any server program behind one port, and keeps them running.
#[derive(Debug, Parser)]
#[command(name = "clustermon", version, arg_required_else_help = false)]
struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    Run(Box<run::Args>),
    Up(apps::up::Args),
    Down(apps::down::Args),
    Check(apps::check::Args),
    Init(apps::init::Args),
    Schema(apps::schema::Args),
    Unit(units::Args),
    Doctor(doctor::Args),
    /// Show clusters, or workers of them: how they are and what is wrong
    Status(status::Args),
    /// Tell what clusters or workers are: command, options, versions, files, restarts
    #[command(visible_aliases = ["show", "info"])]
    Describe(describe::Args),
    /// Print all there is to know of clusters or workers, as JSON
    Inspect(inspect::Args),
    /// List the clusters of this user that run
    #[command(visible_aliases = ["ls", "ps"])]
    List(list::Args),
    /// Print what happens, as it happens
    Events(events::Args),
    /// Print what clusters have written last, or follow them
    Logs(logs::Args),
    /// Start workers that are stopped, or wait for a restart
    Start(order::Args),
    /// Stop workers, which then stay stopped, or clusters
    Stop(order::Args),
    /// Stop workers and start them again, all at once
    Restart(order::Args),
    /// Give every worker a new process, one after the other and without a gap
    Reload(order::ReloadArgs),
    /// Send SIGHUP to workers: a program reloads itself, or ends and is restarted
    HangUp(order::Args),
    /// Kill workers with SIGKILL; they stay stopped
    ForceStop(order::Args),
    /// Send SIGABRT to workers, for a core dump; they stay stopped
    Dump(order::Args),
    /// Stop workers with SIGUSR1, at which Node waits for a debugger; they are not killed meanwhile
    Debug(order::Args),
    /// Send a signal to workers
    Signal(order::SignalArgs),
    /// Open the file of --log anew, after it was moved away
    Reopen(reopen::Args),
    /// Empty the file of --log, and forget the last lines that are kept in memory
    Flush(reopen::Args),
    /// Change the number of workers
    Scale(order::ScaleArgs),
    /// Take workers out of rotation: no new connections
    Cordon(order::CordonArgs),
    /// Take workers into rotation again
    Uncordon(order::CordonArgs),
}

impl CliCommand {
    fn run(self) -> Result<ExitCode, Failed> {
        let done = match self {
            Self::Run(args) => return run::run(*args, compare),
            Self::Up(args) => return args.run(),
            Self::Down(args) => args.run(),
            Self::Check(args) => args.run(),
            Self::Init(args) => args.run(),
            Self::Schema(args) => args.run(),
            Self::Unit(args) => args.run(),
            Self::Doctor(args) => return args.run(),
            Self::Status(args) => args.run(),
            Self::Describe(args) => args.run(),
            Self::Inspect(args) => args.run(),
            Self::List(args) => args.run(),
            Self::Events(args) => args.run(),
            Self::Logs(args) => args.run(),
            Self::Start(args) => args.run(|target| Action::Start { target }),
            Self::Stop(args) => args.stop(),
            Self::Restart(args) => args.run(|target| Action::Restart { target }),
            Self::Reload(args) => args.run(),
            Self::HangUp(args) => args.run(|target| Action::HangUp { target }),
            Self::ForceStop(args) => args.run(|target| Action::ForceStop { target }),
            Self::Dump(args) => args.run(|target| Action::Dump { target }),
            Self::Debug(args) => args.run(|target| Action::Debug { target }),
            Self::Signal(args) => args.run(),
            Self::Reopen(args) => args.run(&Action::Reopen),
            Self::Flush(args) => args.run(&Action::Flush),
            Self::Scale(args) => args.run(),
            Self::Cordon(args) => args.run(|target| Action::Cordon { target }),
            Self::Uncordon(args) => args.run(|target| Action::Uncordon { target }),
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}

/// What the program has to do before Rust's runtime starts, which overwrites what whoever started it has chosen.
pub extern "C" fn before_main() {
    dispositions::note_sigpipe();
}

/// Does what the arguments of this process say.
pub fn main() -> ExitCode {
    let read = help::command().try_get_matches_from(std::env::args_os());
    match read.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(Cli { command }) => command.run().unwrap_or_else(|failed| {
            if let Some(message) = failed.message {
                complain(message);
            }
            ExitCode::from(failed.code)
        }),
        Err(error) if error.use_stderr() => {
            let first = std::env::args().nth(1).unwrap_or_default();
            complain(told(&error, &first));
            ExitCode::from(2)
        }
        Err(help) => {
            // Nobody is left to tell that the help could not be written.
            let _ = help.print();
            ExitCode::SUCCESS
        }
    }
}

/// What is wrong with a command line of which this is the first word, and what may have been meant or which help to read.
fn told(error: &clap::Error, first: &str) -> String {
    let whole = Cli::command();
    let known = whole.find_subcommand(first);
    let options = known.iter().flat_map(|command| command.get_arguments());
    let options: Vec<_> = options.filter_map(|option| Some(format!("--{}", option.get_long()?))).collect();
    let names = match known {
        Some(_) => options.iter().map(String::as_str).collect::<Vec<_>>(),
        None => whole.get_subcommands().map(clap::Command::get_name).collect(),
    };
    let hint = hint::for_error(error, names.into_iter()).unwrap_or_else(|| match known {
        Some(_) => format!("`clustermon {first} --help` tells more"),
        None => "`clustermon --help` tells more".to_owned(),
    });
    format!("{}; {hint}", one_line(&error.to_string()))
}

/// The complaint about these words, the program's name first; `None` if they can be read.
#[cfg(test)]
fn complaint(words: &[&str]) -> Option<String> {
    let error = Cli::try_parse_from(words).err()?;
    Some(told(&error, words.get(1).unwrap_or(&"")))
}

/// The definition of `run`, for tests of what is told the same options.
#[cfg(test)]
pub(crate) fn run_command() -> clap::Command {
    run::command()
}

/// What `run` makes of these words, or its complaint.
#[cfg(test)]
pub(crate) fn run_config(mut words: Vec<std::ffi::OsString>) -> Result<crate::config::Config, String> {
    words.insert(0, "--detach".into());
    run::Args::read(words)?.config().map_err(|fault| fault.to_string())
}

#[cfg(test)]
mod tests;

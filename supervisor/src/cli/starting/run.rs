//! `clustermon run`: its flags, and what they mean to the builder.

use crate::cli::output::failed::{Failed, USAGE};
use crate::cli::starting::detach;
use crate::cli::starting::log_args::LogArgs;
use crate::cli::starting::swallowed;
use crate::cli::starting::words::Words;
use crate::config::{
    Builder, Capture, Compare, Config, ConfigError, Control, OnSupervisorDeath, Origin, Settings, Workers,
};
use crate::error::Error;
use crate::io::control::last_end::{self, LastEnd};
use crate::io::control::place::Place;
use crate::io::launch::variables::app_variables;
use crate::io::output::destination;
use crate::io::output::detach_pipe;
use crate::io::output::log;
use crate::io::output::log_file::place;
use crate::io::sockets::activation;
use ::log::{LevelFilter, error, warn};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Run one cluster
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "clustermon run [OPTIONS] [--] COMMAND [ARGS]...",
    // Every fault is told in one line; the help is there for who asks for it.
    arg_required_else_help = false
)]
pub(in crate::cli) struct Args {
    /// How many workers [default: auto, the CPUs this process may use by affinity and cgroup quota]
    #[arg(short = 'n', long, value_name = "N|auto", allow_negative_numbers = true)]
    workers: Option<Workers>,
    /// One worker for each id, which it finds in PROCESS_LOGICAL_ID [default: 0,1,.. up to the number of workers]
    #[arg(long, value_name = "ID,ID..", value_delimiter = ',')]
    logical_ids: Option<Vec<String>>,
    /// Name of the cluster [default: stem of the script or program]
    #[arg(long)]
    name: Option<String>,
    /// Control socket: a path, or none [default: NAME.sock in the runtime directory; NAME-2 and so on if it is taken]
    #[arg(long, value_name = "PATH|none", value_hint = clap::ValueHint::FilePath)]
    control: Option<OsString>,
    /// Run in the background; return once every worker is ready, or with the log if that fails
    #[arg(short = 'd', long)]
    detach: bool,
    #[command(flatten)]
    log: LogArgs,
    /// This is the process in the background
    #[arg(long, hide = true)]
    detached: bool,
    /// The file of apps that this is one of
    #[arg(long, hide = true, value_name = "PATH")]
    app_file: Option<PathBuf>,
    /// Log more; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(flatten)]
    settings: Settings,
    /// Reload by stopping one worker before the next starts, for programs of which two cannot run: --max-surge 0
    /// --max-unavailable 1
    #[arg(long, help_heading = "Reload", conflicts_with_all = ["max_surge", "max_unavailable"])]
    no_surge: bool,
    /// Read what workers write to stdout and stderr, and pass it on line by line as `[NAME/ID] LINE` [default: they
    /// inherit both]
    #[arg(long, help_heading = "Output")]
    capture: bool,
    /// The server program and its arguments; whatever follows COMMAND belongs to it
    #[arg(value_name = "COMMAND", trailing_var_arg = true, help_heading = None::<&str>)]
    command: Vec<OsString>,
}

/// The definition of the command, for what else is told the same options.
pub(in crate::cli) fn command() -> clap::Command {
    <Args as clap::Args>::augment_args(clap::Command::new("run"))
}

impl Args {
    /// Reads words as the command line's, from behind `run`; or says in one line what is wrong.
    pub(in crate::cli) fn read(words: Vec<OsString>) -> Result<Self, String> {
        let read = command().no_binary_name(true).try_get_matches_from(words);
        let args = read.and_then(|matches| <Self as clap::FromArgMatches>::from_arg_matches(&matches));
        args.map_err(|error| {
            let said = |kind| match error.get(kind) {
                Some(ContextValue::String(option)) => option.split(' ').next(),
                Some(ContextValue::Strings(options)) => {
                    options.first().and_then(|option| option.split(' ').next())
                }
                _ => None,
            };
            match (error.kind(), said(ContextKind::InvalidArg), said(ContextKind::PriorArg)) {
                (ErrorKind::ArgumentConflict, Some(one), Some(other)) => {
                    format!("{one} and {other} say the same in two ways: give one of them")
                }
                _ => crate::cli::output::complaint::one_line(&error.to_string()),
            }
        })
    }

    /// It is to run in the background.
    pub(in crate::cli) fn is_in_background(&self) -> bool {
        self.detach || self.detached
    }

    pub(in crate::cli) fn config(self) -> Result<Config, ConfigError> {
        self.config_given(BTreeMap::new())
    }

    /// The same of one that can be asked for the options that were given.
    pub(in crate::cli) fn config_given(
        self,
        options: BTreeMap<String, String>,
    ) -> Result<Config, ConfigError> {
        if self.log.lacks_file() {
            return Err(ConfigError::RotationWithoutFile);
        }
        self.builder().options(options).build()
    }

    pub(in crate::cli) fn builder(self) -> Builder {
        let mut settings = self.settings;
        if self.no_surge {
            (settings.rollout.max_surge, settings.rollout.max_unavailable) = (0, 1);
        }
        // In the background without a file there is nobody else who could have what workers write: `logs` shows it. Workers that are to
        // outlive the supervisor keep their streams: nobody would read a pipe then, and who writes to it may end.
        let outlive = settings.stop.on_supervisor_death == OnSupervisorDeath::Keep;
        // A file that this process moves away is not to be in the hands of workers.
        let read = self.capture || self.log.rules().is_some() || self.log.log_to.is_some();
        if read || self.detach && self.log.log.is_none() && !outlive {
            settings.output.capture = Capture::Streams;
        }
        let mut builder = Builder::new(self.command)
            .settings(settings)
            .handle_signals(true)
            .control(self.control.map_or(Control::ByName, Control::from))
            .verbose(self.verbose);
        if let Some(workers) = self.workers {
            builder = builder.workers(workers);
        }
        if let Some(ids) = self.logical_ids {
            builder = builder.logical_ids(ids);
        }
        if let Some(name) = self.name {
            builder = builder.name(name);
        }
        builder
    }
}

/// For who asks later how it is: of a cluster in the background, or of `up`, of which nothing was started. One that ran has left more than that.
fn leave_word(fault: &Error, place: &Place, name: &str) {
    let is_of_place = matches!(fault, Error::Control(_));
    if !is_of_place && last_end::read_at(place).is_none_or(|end| end.pid != std::process::id()) {
        last_end::write_at(place, &LastEnd::now(name, fault.exit_code(), fault.to_string(), None));
    }
}

/// `compare` reads the command line of a cluster that is to be changed.
pub(in crate::cli) fn run(args: Args, compare: Compare) -> Result<ExitCode, Failed> {
    let (detach, detached, log_args, file) =
        (args.detach, args.detached, args.log.clone(), args.app_file.clone());
    if detached {
        detach::leave_session();
    }
    if let Some(to) = &log_args.log_to {
        let failed = |fault| Failed::new(USAGE, format!("--log-to: nobody takes the log there: {fault}"));
        destination::choose(to).map_err(failed)?;
    }
    let words: Vec<_> = std::env::args_os().collect();
    // The first word is `run`: there are no options before it.
    let given: Vec<_> = words.iter().skip(2).cloned().collect();
    // What cannot be read has been told by now.
    let options = Words::read(command(), &given).map(|words| words.differing(&command())).unwrap_or_default();
    let config = args.config_given(options);
    let config = config.map_err(|fault| Failed::new(USAGE, fault.to_string()))?;
    // The one in the background has nobody to tell, and was told already.
    let swallowed = swallowed::warning(&words, config.command.len()).filter(|_| !detached);
    if detach && !detached {
        if activation::count() > 0 {
            return Err(Failed::new(
                USAGE,
                "--detach: a service manager has passed sockets (LISTEN_FDS), which are for a process that stays: leave it out",
            ));
        }
        if let Some(warning) = swallowed {
            crate::cli::output::complaint::complain(format_args!("warning: {warning}"));
        }
        // Here, where somebody sees it; the one in the background finds the place free.
        crate::cli::connection::vacancy::wait(&config, crate::cli::output::complaint::complain);
        let words = words.into_iter().skip(2).collect();
        let background =
            detach::Background { name: &config.name, words, env: None, log: log_args.log.as_deref() };
        return detach::start(background).map(|()| ExitCode::SUCCESS);
    }
    let level = match config.verbose {
        0 => LevelFilter::Info,
        1 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    if detached && let Some(path) = &log_args.log {
        place::remember(path, log_args.rules());
    }
    let log =
        log::init(level, &config.name, config.settings.output.log_format, config.settings.output.log_time)
            .map_err(|fault| Failed::new(1, format!("cannot start the log: {fault}")))?;
    if let Some(warning) = swallowed {
        warn!("{warning}");
    }
    crate::cli::connection::vacancy::wait(&config, |told| ::log::info!("{told}"));
    let origin = Origin {
        words: words.into_iter().skip(2).collect(),
        variables: app_variables::from_environment(),
        file,
        compare,
    };
    // Who has started it by hand in the foreground has seen why.
    let is_unseen = std::env::var_os(detach_pipe::VARIABLE).is_some();
    let place = Place::of(&config).filter(|_| is_unseen).map(|place| (place, config.name.clone()));
    let result = crate::run_with(config, Some(origin));
    if let (Err(fault), Some((place, name))) = (&result, place) {
        leave_word(fault, &place, &name);
    }
    let code = match result {
        Ok(outcome) => ExitCode::from(outcome.code()),
        // Whoever waits for the one in the background reads its log.
        Err(fault) if fault.exit_code() == USAGE && !detached => {
            log.flush();
            return Err(Failed::new(USAGE, fault.to_string()));
        }
        Err(fault) => {
            error!("{fault}");
            ExitCode::from(fault.exit_code())
        }
    };
    log.flush();
    Ok(code)
}

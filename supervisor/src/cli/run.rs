//! `clustermon run`: its flags, and what they mean to the builder.

use super::detach;
use super::failed::{Failed, USAGE};
use super::swallowed;
use crate::config::{Builder, Capture, Config, ConfigError, Control, Settings, Workers};
use crate::io::output::log;
use ::log::{LevelFilter, error, warn};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Run one cluster
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "clustermon run [OPTIONS] [--] COMMAND [ARGS]...",
    after_help = super::EXIT_CODES,
    // Every fault is told in one line; the help is there for who asks for it.
    arg_required_else_help = false
)]
pub(super) struct Args {
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
    #[arg(long, value_name = "PATH|none")]
    control: Option<OsString>,
    /// Run in the background; return once every worker is ready, or with the log if that fails
    #[arg(short = 'd', long)]
    detach: bool,
    /// Append what the supervisor and its workers write to this file; without it the last of it is kept in memory, for `logs`
    #[arg(long, value_name = "FILE", requires = "detach")]
    log: Option<PathBuf>,
    /// This is the process in the background
    #[arg(long, hide = true)]
    detached: bool,
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
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    command: Vec<OsString>,
}

impl Args {
    pub(super) fn config(self) -> Result<Config, ConfigError> {
        let mut settings = self.settings;
        if self.no_surge {
            (settings.rollout.max_surge, settings.rollout.max_unavailable) = (0, 1);
        }
        // In the background without a file there is nobody else who could have what workers write: `logs` shows it.
        if self.capture || self.detach && self.log.is_none() {
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
        builder.build()
    }
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failed> {
    let (detach, detached, log) = (args.detach, args.detached, args.log.clone());
    if detached {
        detach::leave_session();
    }
    let config = args.config().map_err(|fault| Failed::new(USAGE, fault.to_string()))?;
    let words: Vec<_> = std::env::args_os().collect();
    // The one in the background has nobody to tell, and was told already.
    let swallowed = swallowed::warning(&words, config.command.len()).filter(|_| !detached);
    if detach && !detached {
        if let Some(warning) = swallowed {
            super::complain(format_args!("warning: {warning}"));
        }
        // Here, where somebody sees it; the one in the background finds the place free.
        super::vacancy::wait(&config, super::complain);
        return detach::start(log.as_deref()).map(|()| ExitCode::SUCCESS);
    }
    let level = match config.verbose {
        0 => LevelFilter::Info,
        1 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    if detached && let Some(path) = &log {
        log::file::remember(path);
    }
    let log =
        log::init(level, &config.name, config.settings.output.log_format, config.settings.output.log_time)
            .map_err(|fault| Failed::new(1, format!("cannot start the log: {fault}")))?;
    if let Some(warning) = swallowed {
        warn!("{warning}");
    }
    super::vacancy::wait(&config, |told| ::log::info!("{told}"));
    let code = match crate::run(config) {
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

//! `clustermon run`: its flags, and what they mean to the builder.

use super::detach;
use super::failed::{Failed, USAGE};
use super::swallowed;
use crate::config::duration::{Human, Limit};
use crate::config::{self, Builder, Config, ConfigError, Control, Dispatch, Ready, Workers};
use crate::io::output::log;
use crate::pool::{Policy, WhenNoWorker};
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
    /// Restarts per worker before it stays down, refilled after --min-uptime; -1 is no limit
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = -1)]
    respawn: i64,
    /// Delay after the early death of a worker, doubling with each further one
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, default_value_t = Human(config::RESTART_DELAY))]
    restart_delay: Human,
    /// Longest such delay
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, default_value_t = Human(config::MAX_RESTART_DELAY))]
    max_restart_delay: Human,
    /// A worker that lived this long is replaced at once
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, default_value_t = Human(config::MIN_UPTIME))]
    min_uptime: Human,
    /// From the stop signal to the kill signal: a duration, or infinity [default: 10s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = Limit::or_infinity)]
    stop_timeout: Option<Limit>,
    /// How many workers may be starting at a time [default: number of CPUs]
    #[arg(long, value_name = "N")]
    max_starting: Option<u32>,
    /// Connections that may wait at one worker where they are handed over; no effect where workers accept by credit
    #[arg(long, value_name = "N", default_value_t = config::WINDOW)]
    window: u32,
    /// Least length of a listening queue; a program that asks for more gets more
    #[arg(long, value_name = "N", default_value_t = config::BACKLOG)]
    backlog: u32,
    /// A worker that takes nothing for this long while a connection waits for it leaves the rotation: a duration, or off
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = Limit::or_off,
        default_value_t = Limit(Some(config::LAG_LIMIT)))]
    lag_limit: Limit,
    /// Replace a worker that has taken nothing for so long while something waited, and is found to hang: on the CPU
    /// throughout, stopped or waiting for a lock; if this is given, also one that is blocked: a duration, or off
    /// [default: 30s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = Limit::or_off)]
    hang_limit: Option<Limit>,
    /// How many workers may be taken down for their health at a time [default: 1, or a quarter if that is more]
    #[arg(long, value_name = "N")]
    health_max_unavailable: Option<u32>,
    /// What a worker that hangs is sent before it is stopped, to say what it is doing, such as SIGQUIT
    #[arg(long, value_name = "SIGNAL", value_parser = super::order::signal_number)]
    dump_signal: Option<i32>,
    /// When a worker is ready and gets connections: listen (it listens), notify (it says READY=1 to its NOTIFY_SOCKET), auto
    /// (either), tcp (it has accepted a connection of ours), http:PATH (it has answered a GET with 2xx), delay:DURATION
    /// (so long after it listened), fd:N (it has written a newline to its descriptor N, as for s6) [default: listen; one that does not
    /// listen counts as running after --start-timeout]
    #[arg(long, value_name = "WHEN")]
    ready: Option<Ready>,
    /// Restart a worker that has said WATCHDOG=1 to its NOTIFY_SOCKET and then does not for this long: a duration, or off
    /// [default: off]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = Limit::or_off)]
    watchdog: Option<Limit>,
    /// A worker that is not ready within this is killed and started anew, if --ready is given or one has ever listened;
    /// else it counts as running
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, default_value_t = Human(config::START_TIMEOUT))]
    start_timeout: Human,
    /// How often each worker's health is sampled: a duration, or off
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = Limit::or_off,
        default_value_t = Limit(Some(config::PULSE)))]
    pulse: Limit,
    /// How connections reach workers: credit (a worker accepts by itself when it is its turn), handoff (the supervisor accepts and
    /// passes each connection on), auto (credit where that can be)
    #[arg(long, value_name = "HOW", default_value_t = Dispatch::Auto)]
    dispatch: Dispatch,
    /// Whom a connection is given, of the workers that are ready: round-robin (the least recently connected),
    /// least-connections or source-hash (the same worker for the same address)
    #[arg(long, value_name = "POLICY", default_value_t = Policy::RoundRobin)]
    policy: Policy,
    /// Open connections that one worker may have [default: no limit]
    #[arg(long, value_name = "N")]
    max_connections: Option<u32>,
    /// What becomes of connections while no worker is up: hold, hold:DURATION (then refuse) or refuse
    #[arg(long, value_name = "WHAT", default_value_t = WhenNoWorker::default())]
    when_no_worker: WhenNoWorker,
    /// From the failure of a listening socket to the next try to open it
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, default_value_t = Human(config::SERVER_RESTART_DELAY))]
    server_restart_delay: Human,
    /// Exit codes with which a worker says that it is done: it is not started again
    #[arg(long, value_name = "N,N..", value_delimiter = ',', allow_negative_numbers = true)]
    exit_codes_ok: Vec<i32>,
    /// Go on when every worker has died before any was ready
    #[arg(long)]
    keep_trying: bool,
    /// Share this address though it would be private: host:port, *:port, [v6]:port, /path or @abstract, for port also a range
    /// such as 40000-40100; repeatable
    #[arg(long, value_name = "ADDR")]
    share: Vec<String>,
    /// Leave this address, or range of ports, to each worker alone; repeatable
    #[arg(long, value_name = "ADDR")]
    private: Vec<String>,
    /// Name of the cluster [default: stem of the script or program]
    #[arg(long)]
    name: Option<String>,
    /// Control socket: a path, or none [default: NAME.sock in the runtime directory; NAME-2 and so on if it is taken]
    #[arg(long, value_name = "PATH|none")]
    control: Option<OsString>,
    /// Run in the background; return once every worker is ready, or with the log if that fails
    #[arg(long)]
    detach: bool,
    /// Append what the supervisor and its workers write to this file; without it, it is lost
    #[arg(long, value_name = "FILE", requires = "detach")]
    log: Option<PathBuf>,
    /// This is the process in the background
    #[arg(long, hide = true)]
    detached: bool,
    /// Thunk to preload [default: CLUSTERMON_THUNK, else the one beside this program, in ../lib/clustermon, or inside it]
    #[arg(long, value_name = "PATH")]
    thunk: Option<PathBuf>,
    #[command(flatten)]
    rolling: super::rolling::RollingArgs,
    #[command(flatten)]
    streams: super::streams::StreamArgs,
    /// Log more; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// The server program and its arguments; whatever follows COMMAND belongs to it
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    command: Vec<OsString>,
}

impl Args {
    pub(super) fn config(self) -> Result<Config, ConfigError> {
        let mut builder = Builder::new(self.command)
            .respawn(self.respawn)
            .restart_delay(self.restart_delay.0)
            .max_restart_delay(self.max_restart_delay.0)
            .min_uptime(self.min_uptime.0)
            .window(self.window)
            .backlog(self.backlog)
            .lag_limit(self.lag_limit.0)
            .pulse(self.pulse.0)
            .start_timeout(self.start_timeout.0)
            .dispatch(self.dispatch)
            .policy(self.policy)
            .max_connections(self.max_connections)
            .when_no_worker(self.when_no_worker)
            .server_restart_delay(self.server_restart_delay.0)
            .exit_codes_ok(self.exit_codes_ok)
            .keep_trying(self.keep_trying)
            .handle_signals(true)
            .control(self.control.map_or(Control::ByName, Control::from))
            .verbose(self.verbose);
        if let Some(limit) = self.stop_timeout {
            builder = builder.stop_timeout(limit.0);
        }
        if let Some(limit) = self.hang_limit {
            builder = builder.hang_limit(limit.0);
        }
        if let Some(limit) = self.watchdog {
            builder = builder.watchdog(limit.0);
        }
        if let Some(ready) = self.ready {
            builder = builder.ready(ready);
        }
        if let Some(workers) = self.health_max_unavailable {
            builder = builder.health_max_unavailable(workers);
        }
        if let Some(signal) = self.dump_signal {
            builder = builder.dump_signal(signal);
        }
        if let Some(workers) = self.workers {
            builder = builder.workers(workers);
        }
        if let Some(ids) = self.logical_ids {
            builder = builder.logical_ids(ids);
        }
        if let Some(workers) = self.max_starting {
            builder = builder.max_starting(workers);
        }
        if let Some(name) = self.name {
            builder = builder.name(name);
        }
        if let Some(thunk) = self.thunk {
            builder = builder.thunk(thunk);
        }
        builder = self.share.into_iter().fold(builder, Builder::share);
        builder = self.private.into_iter().fold(builder, Builder::private);
        builder = self.rolling.apply(builder);
        self.streams.apply(builder).build()
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
    let log = log::init(level, &config.name, config.log_format, config.log_time)
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

//! What a loop is given, and how the shell of a cluster is made of it. Starts no process.

use super::Shell;
use super::changes::reload::Reloads;
use super::commands::configuring::{Configuring, settings_of};
use super::commands::waits::Waits;
use super::connections::state::Connections;
use super::health::monitor::Monitor;
use super::health::state::Health;
use super::hook_commands::HookCommands;
use super::lanes::state::Lanes;
use super::listeners::activated;
use super::listeners::state::Listeners;
use super::lives::launching::Launching;
use super::lives::living::Lives;
use super::lives::remains::Remains;
use super::os::Os;
use super::report::state::Reports;
use super::requests::state::ThunkRequests;
use super::seccomp::datagrams::Binds;
use super::seccomp::queues::Queues;
use crate::config::{Config, Origin};
use crate::error::Error;
use crate::hooks::Hooks;
use crate::io::control::place::Place;
use crate::io::control::server::Control;
use crate::io::events::signals::{Blocked, Signals};
use crate::io::events::source::Source;
use crate::io::kernel::dispositions::Dispositions;
use crate::io::lanes::lane;
use crate::io::lanes::thunk_socket::ThunkSocket;
use crate::io::launch::launch_spec::LaunchSpec;
use crate::io::launch::spawn::{Limits, Template};
use crate::io::launch::thunk_file::Thunk;
use crate::io::machine::wall_clock::WallClock;
use crate::io::output::streams::Outputs;
use crate::io::process::memory_gauge::MemoryGauge;
use crate::io::readiness::service_manager::ServiceManager;
use crate::io::watch::file_watcher::FileWatcher;
use crate::io::watch::place;
use crate::link::Inbox;
use crate::pool::{Pool, Requests};
use clustermon_protocol::env;
use mio::{Poll, Waker};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// What a loop is given.
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) launch_spec: LaunchSpec,
    /// Where workers run, if that may be somewhere else the next time.
    pub(crate) home: Option<PathBuf>,
    pub(crate) thunk: PathBuf,
    /// The signals that are its to read, if the process is the cluster's own.
    pub(crate) signals: Option<Blocked>,
    pub(crate) hooks: Hooks,
    /// Commands from other threads, where there are any.
    pub(crate) inbox: Option<Inbox>,
    /// The command line of which it was made, if it was.
    pub(crate) origin: Option<Origin>,
}

impl<O: Os> Shell<O> {
    pub(super) fn new(mut os: O, setup: Setup) -> Result<Self, Error> {
        let Setup { mut config, launch_spec, home, thunk, signals, hooks, inbox, origin } = setup;
        let configuring = Configuring::new(origin);
        let failed = |what: &'static str| move |error: io::Error| Error::os(what, error);
        let watched = place::find(&config.settings.development.watch)?;
        let poll = Poll::new().map_err(failed("cannot create the poll"))?;
        let nonce = os.random().map_err(failed("cannot get random bytes"))?;
        let seed = os.random().map_err(failed("cannot get random bytes"))?;
        let owns_process = signals.is_some();
        let activated =
            if owns_process { activated::take(&config, launch_spec.interception)? } else { Vec::new() };
        let signals = signals.map(|blocked| Signals::open(blocked, poll.registry())).transpose();
        let signals = signals.map_err(failed("cannot take over the signals"))?;
        let limits = Limits::take(owns_process).map_err(failed("cannot raise the limit on descriptors"))?;
        let thunk_socket =
            ThunkSocket::open(nonce, poll.registry()).map_err(failed("cannot open the request socket"))?;
        let waker =
            Waker::new(poll.registry(), Source::Waker.into()).map_err(failed("cannot create the waker"))?;
        let waker = Arc::new(waker);
        if let Some(inbox) = &inbox {
            inbox.board.set_waker(Some(waker.clone()));
        }
        let onlooker = launch_spec.confinement.onlooker();
        let lane_owner_probe =
            os.lane_owner_probe(waker.clone(), onlooker).map_err(failed("cannot start a thread"))?;
        let idle_detector =
            os.idle_detector(waker.clone(), onlooker).map_err(failed("cannot start a thread"))?;
        let runner = os.hook_runner(waker.clone());
        let hook_commands = HookCommands::new(runner);
        let control = match Place::of(&config).map(|place| Control::open(&place, poll.registry())) {
            // Nobody asked for it in so many words, and a container may have nowhere to put it.
            Some(Err(error)) if !error.is_input() => {
                log::warn!("{error}");
                None
            }
            other => other.transpose()?,
        };
        if let Some(control) = &control {
            if let Some(name) = control.name().filter(|name| **name != config.name) {
                config.name = name.to_owned();
            }
            log::debug!("controlled at {}", control.path().display());
        }
        let recent = crate::io::output::log::take_recent().unwrap_or_default();
        let outputs = Outputs::new(&config, recent.clone()).map_err(failed("cannot start a thread"))?;
        let record_cost = lane::record_cost().map_err(failed("cannot make a socket pair"))?;
        let now = os.now();
        let mut notifier = ServiceManager::default();
        if owns_process {
            crate::io::launch::worker_processes::become_subreaper();
            notifier = ServiceManager::from_environment(now);
        }
        let supervisor =
            [(env::SOCKET, thunk_socket.name().into()), (env::SUPERVISOR, thunk_socket.owner().into())];
        let template = Template {
            launch_spec,
            command: config.argv(),
            supervisor,
            environment: Template::environment_of(&config),
            variables: configuring.variables(),
            orphans: config.settings.stop.on_supervisor_death,
            dispositions: signals.as_ref().map_or_else(Dispositions::of_host, |signals| *signals.original()),
            limits,
        };
        let ids = config.logical_ids.clone();
        let settings = settings_of(&config, seed);
        let watcher = || FileWatcher::start(watched.clone(), waker.clone());
        let file_watcher = (!watched.is_empty()).then(watcher).transpose();
        let file_watcher = file_watcher.map_err(failed("cannot start a thread"))?;
        let counts = settings.balancing.counts();
        let monitor = Monitor::new(
            now,
            config.settings.health.lag_limit.map(|limit| limit / 5),
            config.settings.health.pulse,
        );
        let connections = Connections::new(counts).map_err(failed("cannot make the release page"))?;
        let templates = BTreeMap::from([(0, template)]);
        Ok(Self {
            os,
            now,
            started: now,
            timers: super::timers::Timers::default(),
            wall_clock: WallClock::at(now),
            pool: Pool::new(settings),
            poll,
            config,
            signals,
            hooks,
            hook_commands,
            inbox,
            control,
            waits: Waits::default(),
            stop_requests: Requests::default(),
            launching: Launching { templates, limits, thunk: Thunk::at(thunk), home, nonce, ids },
            lives: Lives::default(),
            remains: Remains::default(),
            reloads: Reloads::new(file_watcher),
            configuring,
            idle_detector,
            lanes: Lanes::new(lane_owner_probe, record_cost),
            listeners: Listeners::new(activated),
            connections,
            steering: super::steering::Steering::default(),
            datagrams: super::datagrams::Datagrams::default(),
            binds: Binds::new(waker.clone()),
            queues: Queues::default(),
            requests: ThunkRequests::new(thunk_socket),
            health: Health::new(monitor, MemoryGauge::new(waker.clone())),
            outputs,
            recent,
            reports: Reports::new(notifier),
            waker,
            outcome: None,
        })
    }
}

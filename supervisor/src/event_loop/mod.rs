//! The shell: all that the supervisor holds, and its loop from the first worker to the last. It holds every fd and decides nothing.

// The rooms stand in their order: each may use those below it, and none above. Which methods of the shell call each other is another matter:
// they are one type's.

/// The shell under an operating system that is simulated.
#[cfg(feature = "simulation")]
pub(crate) mod simulation;

mod setup;

mod turn;

mod due;

mod orders;

/// What the cluster is told: by threads, by the control socket, by signals.
mod commands;

/// Processes of workers, from their start to what they leave behind.
mod lives;

/// Reload, drain, move, stop.
mod changes;

/// Workers with a seccomp filter.
mod seccomp;

/// Listening sockets among which the kernel chooses.
mod steering;

/// UDP sockets among which the kernel chooses.
mod datagrams;

/// Lanes: opened, heard, looked for, ended.
mod lanes;

/// Shared listening sockets: opened, closed, and who connects too early.
mod listeners;

/// Workers accept by themselves.
mod credits;

/// The supervisor accepts, and gives.
mod connections;

/// How workers that live are doing.
mod health;

/// What the library asks, and whose word counts.
mod requests;

/// Words for people.
mod report;

mod timers;

/// What is asked of the operating system.
mod os;

pub(crate) use report::snapshot::resting;
pub(crate) use setup::Setup;

use crate::config::Config;
use crate::error::Error;
use crate::hooks::Hooks;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::control::server::Control;
use crate::io::drain::idle_detector::IdleDetector;
use crate::io::events::signals::Signals;
use crate::io::lanes::lane::Lane;
use crate::io::lanes::lane_owner_probe::LaneOwnerProbe;
use crate::io::lanes::open_connections::OpenConnections;
use crate::io::lanes::release::Releases;
use crate::io::lanes::thunk_socket::{Delivery, ThunkSocket};
use crate::io::launch::spawn::{Limits, Template};
use crate::io::launch::thunk_file::Thunk;
use crate::io::machine::oom::OomKills;
use crate::io::machine::wall_clock::WallClock;
use crate::io::output::detach_pipe::DetachPipe;
use crate::io::output::recent::Recent;
use crate::io::output::streams::Outputs;
use crate::io::output::throttle::Throttle;
use crate::io::process::memory_gauge::MemoryGauge;
use crate::io::readiness::service_manager::ServiceManager;
use crate::io::sockets::close_events::CloseEvents;
use crate::io::sockets::listener::{Key, Listener};
use crate::io::sockets::pending::Pending;
use crate::io::watch::file_watcher::FileWatcher;
use crate::link::Inbox;
use crate::pool::{Input, Outcome, Pool, Requests};
use changes::reload::Reloads;
use clustermon_protocol::address::Address;
use commands::waits::Waits;
use health::holders::Holders;
use health::monitor::Monitor;
use lanes::idle::IdleLanes;
use listeners::closing::Closing;
use listeners::early_connects;
use lives::living::Lives;
use lives::remains::Remains;
use mio::{Poll, Waker};
use os::{Kernel, Os};
use report::announce;
use report::causes::Causes;
use seccomp::queues::Queues;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use timers::Timers;

/// Everything the supervisor holds.
struct Shell<O> {
    os: O,
    now: Instant,
    started: Instant,
    timers: Timers,
    wall_clock: WallClock,
    poll: Poll,
    pool: Pool,
    config: Config,
    /// What a process of each version is made of.
    templates: BTreeMap<u32, Template>,
    limits: Limits,
    thunk: Thunk,
    /// This thread preempts like any other.
    is_prompt: bool,
    reloads: Reloads,
    /// Where the process is the supervisor's own.
    signals: Option<Signals>,
    hooks: Hooks,
    inbox: Option<Inbox>,
    control: Option<Control>,
    outputs: Outputs,
    recent: Arc<Recent>,
    notifier: ServiceManager,
    /// Whoever started this process in the background waits for a word.
    detached: DetachPipe,
    thunk_socket: ThunkSocket,
    lane_owner_probe: LaneOwnerProbe,
    memory_gauge: MemoryGauge,
    /// Where files are watched.
    file_watcher: Option<FileWatcher>,
    remains: Remains,
    idle_lanes: IdleLanes,
    idle_detector: IdleDetector,
    waker: Arc<Waker>,
    /// Sockets that let nobody new in.
    closing: Vec<Closing>,
    /// Addresses that are no longer listened on, and were served.
    closed: Vec<(BalancerId, Address)>,
    home: Option<PathBuf>,
    listeners: BTreeMap<BalancerId, Listener>,
    by_key: HashMap<Key, BalancerId>,
    /// Balancers that have something to accept and may.
    ready: VecDeque<BalancerId>,
    /// Lanes that are no more, with connections in them for which there was no descriptor.
    leftovers: Vec<Lane>,
    /// The supervisor ran out of descriptors: no accept before then.
    exhausted_until: Option<Instant>,
    /// What anybody can make the supervisor say.
    complaints: Throttle,
    /// Who was named last for what no program does.
    last_accused: Option<(u32, Option<WorkerId>)>,
    lanes: BTreeMap<LaneId, Lane>,
    steering: steering::Steering,
    datagrams: datagrams::Datagrams,
    binds: seccomp::datagrams::Binds,
    /// Lanes that their workers may not have taken in yet.
    deliveries: Vec<(LaneId, Delivery)>,
    pending: Pending,
    releases: Releases,
    lives: Lives,
    /// The ports given out for port 0, by address, V6ONLY and index of the call.
    any_ports: HashMap<(Address, bool, u32), u16>,
    /// The last address of which a worker was told that it is somebody else's.
    last_taken: Option<(WorkerId, Address)>,
    told_early: early_connects::Told,
    next_lane: u64,
    next_balancer: u32,
    nonce: u64,
    record_cost: u32,
    oom_kills: OomKills,
    /// Which connections are open, where the policy or a limit asks.
    open: Option<OpenConnections>,
    /// While some worker may have no more of them.
    closings: Option<CloseEvents>,
    /// Logical ids by slot; more are made up as the cluster is scaled.
    ids: Vec<String>,
    waits: Waits,
    monitor: Monitor,
    queues: Queues,
    causes: Causes,
    holders: Holders,
    told: announce::Told,
    /// Something has changed since it was last told.
    is_news: bool,
    /// Every worker has been running at once.
    was_ready: bool,
    stop_requests: Requests,
    outcome: Option<Outcome>,
}

/// Runs the cluster in the calling thread until it comes to rest. `began` is called once the first workers were
/// spawned; if it was not, nothing was started.
pub(crate) fn run(setup: Setup, began: impl FnOnce()) -> Result<Outcome, Error> {
    let mut shell = Shell::new(Kernel, setup)?;
    shell.say_how_it_stops();
    shell.say_what_has_no_effect();
    shell.input(Input::Start);
    began();
    let outcome = shell.turn_until_done()?;
    shell.sweep();
    shell.outputs.finish(shell.poll.registry());
    shell.settle(outcome);
    Ok(outcome)
}

/// The clock of the loop, for who waits beside one.
pub(crate) fn clock() -> Instant {
    Kernel.now()
}

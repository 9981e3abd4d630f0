//! The shell's loop: waits, reads the clock once, feeds the core what happened and carries out what it orders. It holds
//! every fd and decides nothing. The only place that reads the clock.

mod changes;
mod commands;
mod connections;
mod datagrams;
mod due;
mod health;
mod intercepted;
mod lives;
mod orders;
mod os;
mod report;
mod requests;
mod setup;
#[cfg(feature = "simulation")]
pub(crate) mod simulation;
mod steering;
mod timers;

pub(crate) use report::snapshot::resting;
pub(crate) use setup::Setup;

use crate::config::Config;
use crate::error::Error;
use crate::hooks::Hooks;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::control::server::Control;
use crate::io::drain::idle_detector::IdleDetector;
use crate::io::events::signals::{Event, Signals};
use crate::io::events::source::Source;
use crate::io::lanes::lane::Lane;
use crate::io::lanes::lane_owner_probe::LaneOwnerProbe;
use crate::io::lanes::open_connections::OpenConnections;
use crate::io::lanes::release::Releases;
use crate::io::lanes::thunk_socket::{Asked, Delivery, ThunkSocket};
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
use crate::link::Inbox;
use crate::pool::{Input, Outcome, Pool, Requests};
use changes::reload::Reloads;
use clustermon_protocol::address::Address;
use commands::waits::Waits;
use connections::closing::Closing;
use connections::early_connects;
use connections::idle_lanes::IdleLanes;
use health::holders::Holders;
use health::monitor::Monitor;
use intercepted::queues::Queues;
use lives::life::Lives;
use lives::remains::Remains;
use mio::{Events, Poll, Waker};
use os::{Kernel, Os};
use report::announce;
use report::causes::Causes;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
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
    binds: intercepted::datagrams::Binds,
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

impl<O: Os> Shell<O> {
    fn turn_until_done(&mut self) -> Result<Outcome, Error> {
        let mut events = Events::with_capacity(256);
        loop {
            if let Some(outcome) = self.outcome {
                return Ok(outcome);
            }
            self.turn(&mut events)?;
        }
    }

    /// Waits once, and does all that follows from what has come by then.
    fn turn(&mut self, events: &mut Events) -> Result<(), Error> {
        let timeout = self.timeout();
        match self.os.wait(&mut self.poll, events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(Error::os("cannot wait for events", error));
            }
            _ => self.now = self.os.now(),
        }
        for event in &*events {
            let source = Source::of(event.token());
            if !matches!(source, Some(Source::Listener(_) | Source::Lane(_))) {
                self.timers.changed();
            }
            match source {
                // A unix socket that was shut down does not say so to who accepts without waiting.
                Some(Source::Listener(balancer)) if event.is_read_closed() => self.on_shut(balancer),
                Some(source) => self.on_event(source, event.is_readable(), event.is_writable()),
                None => {}
            }
        }
        if self.pool.next_deadline().is_some_and(|deadline| deadline <= self.now) {
            self.pool.handle_timeout(self.now);
            self.carry_out();
        }
        if self.timers.is_due(self.now) {
            self.do_what_is_due();
        }
        self.deliveries.retain(|(_, delivery)| delivery.is_under_way());
        self.serve();
        self.answer_waiting();
        self.tell_news();
        self.tell_lines();
        Ok(())
    }

    fn timeout(&mut self) -> Option<Duration> {
        if !self.ready.is_empty() && self.exhausted_until.is_none() {
            return Some(Duration::ZERO);
        }
        let others = match self.timers.known() {
            Some(at) => at,
            None => {
                let at = self.next_deadline_of_others();
                self.timers.know(at);
                at
            }
        };
        let deadlines = [self.pool.next_deadline(), self.exhausted_until, others];
        let next = deadlines.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(self.now))
    }

    fn on_event(&mut self, source: Source, readable: bool, writable: bool) {
        match source {
            Source::Signals => self.on_signals(),
            Source::Requests => {
                self.on_requests(|thunk_socket, now, poll, asked| {
                    thunk_socket.accept(now, poll.registry(), asked)
                });
            }
            Source::Request(key) => self.on_requests(|thunk_socket, _, poll, asked| {
                thunk_socket.readable(key, poll.registry(), asked)
            }),
            Source::Listener(balancer) => self.on_pending(balancer),
            Source::Lane(lane) => self.on_lane(lane, readable, writable),
            Source::Child(worker) => self.on_child(worker),
            Source::Member(place) => self.on_member(place),
            Source::Calls(worker) => self.on_calls(worker),
            Source::Control | Source::Client(_) => self.on_control(source, readable, writable),
            Source::Notified(place) => self.on_notified(place),
            Source::Closings => self.on_closings(),
            Source::Probe(worker) => self.on_probe(worker),
            Source::Newline(worker) => self.on_newline(worker),
            Source::Output(key) => self.outputs.readable(key, self.now, self.poll.registry()),
            Source::Waker => {
                self.on_lane_owners();
                self.on_uncovered();
                self.on_measured();
                self.on_addresses();
                self.on_drained();
                self.on_moved();
                self.on_orders();
            }
        }
    }

    /// Reports a fact to the core and carries out what follows from it.
    fn input(&mut self, input: Input) {
        self.pool.handle(self.now, input);
        self.carry_out();
    }

    fn on_signals(&mut self) {
        while let Some(event) = self.signals.as_ref().and_then(Signals::next) {
            match event {
                Event::Child => {
                    self.reap_orphans();
                    self.remains_may_have_come();
                    self.look_for_suspended();
                }
                Event::Reload => {
                    log::info!("SIGHUP: reloading");
                    self.reload();
                }
                Event::ScaleUp => self.scale_by(1),
                Event::ScaleDown => self.scale_by(-1),
                Event::Forward(signal) => self.forward(signal),
                Event::Stop(signal) => self.on_stop_signal(signal),
            }
        }
    }

    fn on_requests(&mut self, take: impl FnOnce(&mut ThunkSocket, Instant, &Poll, &mut Vec<Asked>)) {
        let mut asked = Vec::new();
        take(&mut self.thunk_socket, self.now, &self.poll, &mut asked);
        self.accuse_silent();
        for asked in asked {
            self.answer(asked);
        }
    }
}

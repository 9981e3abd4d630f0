//! The shell's loop: waits, reads the clock once, feeds the core what happened and carries out what it orders. It holds
//! every fd and decides nothing. The only place that reads the clock.

mod commands;
mod notes;
mod orders;
mod processes;
mod requests;
mod snapshot;

pub(crate) use snapshot::resting;

use crate::config::Config;
use crate::error::Error;
use crate::hooks::Hooks;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::child::{self, Process};
use crate::io::conns::Conns;
use crate::io::epoch::Epoch;
use crate::io::intercept::{Asked, Intercept};
use crate::io::lane::{self, Lane};
use crate::io::listener::{Key, Listener};
use crate::io::program::Program;
use crate::io::random;
use crate::io::release::Releases;
use crate::io::scout::Scout;
use crate::io::signals::{self, Blocked, Event, Signals};
use crate::io::source::Source;
use crate::io::spawn::{Limits, Template};
use crate::link::Inbox;
use crate::pool::{Input, Outcome, Policy, Pool};
use clustermon_protocol::address::Address;
use clustermon_protocol::env;
use clustermon_protocol::message::Token;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Waker};
use slab::Slab;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many connections one balancer may accept before others have their turn.
const BUDGET: u32 = 64;
/// After running out of descriptors, when to try again.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Everything the supervisor holds.
struct Shell {
    now: Instant,
    started: Instant,
    epoch: Epoch,
    poll: Poll,
    pool: Pool,
    config: Config,
    template: Template,
    /// Where the process is the supervisor's own.
    signals: Option<Signals>,
    hooks: Hooks,
    inbox: Option<Inbox>,
    intercept: Intercept,
    scout: Scout,
    listeners: HashMap<BalancerId, Listener>,
    by_key: HashMap<Key, BalancerId>,
    /// Balancers that have something to accept and may.
    ready: VecDeque<BalancerId>,
    /// The supervisor ran out of descriptors: no accept before then.
    exhausted_until: Option<Instant>,
    lanes: HashMap<LaneId, Lane>,
    conns: Conns,
    releases: Releases,
    processes: HashMap<WorkerId, Process>,
    tokens: HashMap<Token, WorkerId>,
    /// Which worker a member belongs to.
    members: Slab<WorkerId>,
    /// The ports given out for port 0, by address, V6ONLY and index of the call.
    any_ports: HashMap<(Address, bool, u32), u16>,
    next_lane: u64,
    next_balancer: u32,
    nonce: u64,
    record_cost: u32,
    oom_kills: u64,
    told_to_stop: bool,
    outcome: Option<Outcome>,
}

/// What a loop is given.
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) program: Program,
    pub(crate) thunk: PathBuf,
    /// The signals that are its to read, if the process is the cluster's own.
    pub(crate) signals: Option<Blocked>,
    pub(crate) hooks: Hooks,
    /// Commands from other threads, where there are any.
    pub(crate) inbox: Option<Inbox>,
}

/// Runs the cluster in the calling thread until it comes to rest. `began` is called once the first workers were
/// spawned; if it was not, nothing was started.
pub(crate) fn run(setup: Setup, began: impl FnOnce()) -> Result<Outcome, Error> {
    let mut shell = Shell::new(setup)?;
    shell.input(Input::Start);
    began();
    let outcome = shell.turn_until_done()?;
    shell.sweep();
    shell.settle();
    Ok(outcome)
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn clock() -> Instant {
    Instant::now()
}

impl Shell {
    fn new(setup: Setup) -> Result<Self, Error> {
        let Setup { config, program, thunk, signals, hooks, inbox } = setup;
        let os = |what: &'static str| move |error: io::Error| Error::os(what, error);
        let poll = Poll::new().map_err(os("cannot create the poll"))?;
        let nonce = random::number().map_err(os("cannot get random bytes"))?;
        let seed = random::number().map_err(os("cannot get random bytes"))?;
        let owns_process = signals.is_some();
        let signals = signals.map(|blocked| Signals::open(blocked, poll.registry())).transpose();
        let signals = signals.map_err(os("cannot take over the signals"))?;
        let limits = Limits::take(owns_process).map_err(os("cannot raise the limit on descriptors"))?;
        let intercept =
            Intercept::open(nonce, poll.registry()).map_err(os("cannot open the request socket"))?;
        let waker =
            Waker::new(poll.registry(), Source::Waker.into()).map_err(os("cannot create the waker"))?;
        let scout = Scout::start(Arc::new(waker)).map_err(os("cannot start a thread"))?;
        let record_cost = lane::record_cost().map_err(os("cannot make a socket pair"))?;
        if owns_process {
            child::become_subreaper();
        }
        let template = Template {
            program: program.path,
            command: config.argv(),
            thunk,
            environment: vec![
                (env::SOCKET, intercept.name().into()),
                (env::RULES, rules(&config).into()),
                (env::BACKLOG, config.backlog.to_string().into()),
            ],
            mask: signals.as_ref().map_or_else(signals::current_mask, |signals| *signals.original_mask()),
            limits,
        };
        let now = clock();
        Ok(Self {
            now,
            started: now,
            epoch: Epoch::at(now),
            pool: Pool::new(config.pool_settings(seed)),
            poll,
            config,
            template,
            signals,
            hooks,
            inbox,
            intercept,
            scout,
            listeners: HashMap::new(),
            by_key: HashMap::new(),
            ready: VecDeque::new(),
            exhausted_until: None,
            lanes: HashMap::new(),
            conns: Conns::default(),
            releases: Releases::new().map_err(os("cannot make the release page"))?,
            processes: HashMap::new(),
            tokens: HashMap::new(),
            members: Slab::new(),
            any_ports: HashMap::new(),
            next_lane: 1,
            next_balancer: 1,
            nonce,
            record_cost,
            oom_kills: child::oom_kills(),
            told_to_stop: false,
            outcome: None,
        })
    }

    fn turn_until_done(&mut self) -> Result<Outcome, Error> {
        let mut events = Events::with_capacity(256);
        loop {
            if let Some(outcome) = self.outcome {
                return Ok(outcome);
            }
            match self.poll.poll(&mut events, self.timeout()) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(Error::os("cannot wait for events", error));
                }
                _ => self.now = clock(),
            }
            for event in &events {
                if let Some(source) = Source::of(event.token()) {
                    self.on_event(source, event.is_readable(), event.is_writable());
                }
            }
            if self.pool.next_deadline().is_some_and(|deadline| deadline <= self.now) {
                self.pool.handle_timeout(self.now);
                self.carry_out();
            }
            if self.intercept.next_deadline(self.now).is_some_and(|deadline| deadline <= self.now) {
                self.on_requests(|intercept, now, poll, asked| intercept.expire(now, poll.registry(), asked));
            }
            self.serve();
        }
    }

    fn timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() && self.exhausted_until.is_none() {
            return Some(Duration::ZERO);
        }
        let deadlines =
            [self.pool.next_deadline(), self.intercept.next_deadline(self.now), self.exhausted_until];
        let next = deadlines.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(self.now))
    }

    fn on_event(&mut self, source: Source, readable: bool, writable: bool) {
        match source {
            Source::Signals => self.on_signals(),
            Source::Requests => {
                self.on_requests(|intercept, now, poll, asked| intercept.accept(now, poll.registry(), asked));
            }
            Source::Request(key) => self.on_requests(|intercept, now, poll, asked| {
                intercept.readable(key, now, poll.registry(), asked);
            }),
            Source::Listener(balancer) => self.on_pending(balancer),
            Source::Lane(lane) => self.on_lane(lane, readable, writable),
            Source::Child(worker) => self.on_child(worker),
            Source::Member(place) => self.on_member(place),
            // Not open yet.
            Source::Control | Source::Client(_) | Source::Output(_) => {}
            Source::Waker => {
                self.on_scout();
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
                Event::Child => self.reap_orphans(),
                Event::Reload => log::warn!("SIGHUP: workers are not reloaded yet"),
                Event::ScaleUp | Event::ScaleDown | Event::Forward(_) => {}
                Event::Stop(signal) if self.told_to_stop => {
                    log::warn!("{signal} again: killing what is left");
                    self.input(Input::Kill);
                }
                Event::Stop(signal) => {
                    log::info!("{signal}: stopping");
                    self.told_to_stop = true;
                    self.input(Input::Stop);
                }
            }
        }
    }

    fn on_requests(&mut self, take: impl FnOnce(&mut Intercept, Instant, &Poll, &mut Vec<Asked>)) {
        let mut asked = Vec::new();
        take(&mut self.intercept, self.now, &self.poll, &mut asked);
        for asked in asked {
            self.answer(asked);
        }
    }

    fn on_pending(&mut self, balancer: BalancerId) {
        if let Some(listener) = self.listeners.get_mut(&balancer) {
            listener.pending = true;
            self.make_ready(balancer);
        }
    }

    fn make_ready(&mut self, balancer: BalancerId) {
        if !self.ready.contains(&balancer) {
            self.ready.push_back(balancer);
        }
    }

    /// Accepts for every balancer that may, each in its turn.
    fn serve(&mut self) {
        if self.exhausted_until.is_some_and(|until| until > self.now) {
            return;
        }
        self.exhausted_until = None;
        for _ in 0..self.ready.len() {
            if let Some(balancer) = self.ready.pop_front()
                && self.accept_some(balancer)
            {
                self.make_ready(balancer);
            }
        }
    }

    /// True if there is more and the core wants it.
    fn accept_some(&mut self, balancer: BalancerId) -> bool {
        for _ in 0..BUDGET {
            if !self.pool.may_accept(balancer) {
                return false;
            }
            let Some(listener) = self.listeners.get_mut(&balancer).filter(|listener| listener.pending) else {
                return false;
            };
            match listener.accept() {
                Ok(connection) => {
                    let source = match self.pool.settings().policy {
                        Policy::SourceHash => orders::source_of(&connection.peer),
                        Policy::RoundRobin | Policy::LeastConnections => 0,
                    };
                    let conn = self.conns.insert(connection);
                    self.input(Input::Accepted { conn, balancer, source });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    listener.pending = false;
                    return false;
                }
                Err(error) => match error.raw_os_error() {
                    // The kernel hands errors of connections that ended in the queue to accept; see accept(2).
                    Some(
                        libc::EINTR
                        | libc::ECONNABORTED
                        | libc::EPROTO
                        | libc::ENETDOWN
                        | libc::EHOSTDOWN
                        | libc::EHOSTUNREACH
                        | libc::ENETUNREACH
                        | libc::ENONET
                        | libc::EPERM,
                    ) => {}
                    Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                        log::error!("cannot accept on {}: {error}; connections wait", listener.address);
                        self.exhausted_until = Some(self.now + EXHAUSTED_PAUSE);
                        return true;
                    }
                    _ => {
                        log::error!("cannot accept on {}: {error}", listener.address);
                        listener.pending = false;
                        return false;
                    }
                },
            }
        }
        true
    }

    fn on_lane(&mut self, id: LaneId, readable: bool, writable: bool) {
        if readable {
            self.on_upward(id);
        }
        let Some(lane) = self.lanes.get_mut(&id).filter(|lane| writable && lane.armed) else { return };
        if lane.watched {
            lane.watched = false;
            let waiting = lane.waiting();
            self.input(Input::Measured { lane: id, waiting });
        } else if arm(&self.poll, id, lane, false).is_ok() {
            // Nobody waits for this any more: a worker that keeps up need not wake the supervisor.
            lane.armed = false;
        }
    }

    fn on_scout(&mut self) {
        while let Some((lane, held)) = self.scout.next() {
            if let Some(waiting) = self.lanes.get(&lane).map(Lane::waiting) {
                self.input(Input::Looked { lane, waiting, held });
            }
        }
    }
}

/// Registers a lane for what the worker says and, if `write`, for room in it.
fn arm(poll: &Poll, id: LaneId, lane: &Lane, write: bool) -> io::Result<()> {
    let interest = if write { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
    let fd = lane.as_fd().as_raw_fd();
    poll.registry().reregister(&mut SourceFd(&fd), Source::Lane(id).into(), interest)
}

/// The rules as the thunk reads them.
fn rules(config: &Config) -> String {
    let share = config.share.iter().map(|rule| format!("+{rule}"));
    let private = config.private.iter().map(|rule| format!("-{rule}"));
    share.chain(private).collect::<Vec<_>>().join("\n")
}

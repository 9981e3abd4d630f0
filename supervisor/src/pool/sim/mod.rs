//! A shell without an operating system: a virtual clock, scripted workers and lanes made of queues, for tests.
//! It accounts for every connection: whoever dispatches, refuses or returns one must be holding it.

mod clock;
mod credit;
pub(super) mod history;
mod judge;
mod shell;

use super::{
    Activity, Change, Command, Drain, Exit, Finding, Input, Note, Options, Outcome, Output, Pool, Reloaded,
    Route, Settings, WhenNoWorker, Worker,
};
use crate::ids::{BalancerId, ConnId, LaneId, WorkerId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

pub(super) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Settings that do not get in the way of a test: all workers boot at once and none drains, the window is 2.
pub(super) fn settings(workers: u32) -> Settings {
    with(Settings::new(workers, workers, &Options::default(), 7), |s| {
        s.boot_slot = ms(5_000);
        s.readiness.start_timeout = ms(30_000);
        s.restart.keep_trying = true;
        s.stop.drain = Drain::None;
        s.balancing.when_no_worker = WhenNoWorker::Hold { refuse_after: None };
        s.health.health_max_unavailable = Some(1);
    })
}

/// Settings that differ from these.
pub(super) fn with(mut settings: Settings, change: impl FnOnce(&mut Settings)) -> Settings {
    change(&mut settings);
    settings
}

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The shell has it and has yet to tell.
    Coming,
    /// The core holds it.
    Held,
    InLane(LaneId),
    TakenBy(WorkerId),
    /// Taken, and finished.
    Closed,
    Refused,
}

/// A listening socket.
#[derive(Debug, Default)]
pub(super) struct SimListener {
    /// The sources of the connections in the kernel's queue.
    pub(super) queue: VecDeque<u64>,
    /// The core wants connections.
    accepting: bool,
    /// It works.
    pub(super) sound: bool,
    /// Nobody new comes; told once the queue is empty.
    closing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Conn(ConnId),
    Void,
    /// A credit for one accept.
    Single,
    /// An open credit, which may have ended.
    Open,
}

/// What has become of the singles of a lane.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Singles {
    pub(super) granted: u64,
    pub(super) used: u64,
    pub(super) revoked: u64,
}

#[derive(Debug)]
pub(super) struct SimLane {
    pub(super) worker: WorkerId,
    pub(super) balancer: BalancerId,
    pub(super) queue: VecDeque<Record>,
    pub(super) held: bool,
    watched: bool,
    /// Its process accepts by itself.
    pub(super) credit: bool,
    /// It has an open credit.
    pub(super) open: bool,
    /// Its worker waits at the queue by that, and does not shut it.
    pub(super) direct: bool,
    /// How often it has found the queue empty meanwhile.
    pub(super) empty: u32,
    /// Its worker was woken to look at the queue.
    pub(super) woken: bool,
    /// It was told to accept one in each round.
    pub(super) one_each: bool,
    pub(super) singles: Singles,
    /// It is given one by one.
    pub(super) one_by_one: bool,
    /// Its thread has taken something since it last waited.
    pub(super) away: bool,
    /// Something was read since it was last counted.
    read: bool,
}

#[derive(Debug)]
pub(super) struct Sim {
    pub(super) pool: Pool,
    pub(super) now: Instant,
    /// What was ordered, notes aside, until `take_orders`.
    orders: Vec<Output>,
    pub(super) notes: Vec<Note>,
    pub(super) changes: Vec<Change>,
    pub(super) lanes: BTreeMap<LaneId, SimLane>,
    pub(super) retired: BTreeSet<LaneId>,
    pub(super) conns: BTreeMap<ConnId, Fate>,
    /// Where each connection came from.
    pub(super) sources: BTreeMap<ConnId, u64>,
    /// The socket of each open balancer.
    pub(super) kernel: BTreeMap<BalancerId, SimListener>,
    /// Processes that live.
    pub(super) alive: BTreeSet<WorkerId>,
    /// What each process was made of.
    pub(super) versions: BTreeMap<WorkerId, u32>,
    /// Who drains.
    pub(super) draining: BTreeSet<WorkerId>,
    /// How reloads ended.
    pub(super) reloads: Vec<(u64, Reloaded)>,
    /// New versions can be run.
    pub(super) fit: bool,
    /// Answers are given at once, or else wait in `pending`.
    pub(super) prompt: bool,
    pub(super) pending: VecDeque<Input>,
    /// Connections that fit into a lane.
    pub(super) capacity: usize,
    /// Workers end on the stop signal.
    pub(super) polite: bool,
    /// Sockets can be opened again.
    pub(super) reopens: bool,
    /// What a look at a starting worker finds, of everybody.
    pub(super) activity: Option<Activity>,
    /// What a measure of memory finds, of everybody.
    pub(super) proportional: Option<u64>,
    /// What an examination finds, of everybody.
    pub(super) finding: Finding,
    pub(super) done: Option<Outcome>,
    /// Balancers work by credit.
    pub(super) by_credit: bool,
    /// The kernel brings connections to the lanes of all balancers.
    pub(super) by_kernel: bool,
    /// Balancers whose rotation has changed then.
    pub(super) steered: BTreeSet<BalancerId>,
    /// Open credits fit all lanes.
    pub(super) may_open: bool,
    /// Workers wait at the queue by open credits.
    pub(super) direct: bool,
    /// Queues that are to be looked at.
    to_look_at: BTreeSet<BalancerId>,
    ids: u32,
}

impl Sim {
    /// As [`Sim::serving`], by credit.
    pub(super) fn on_credit(settings: Settings) -> (Self, BalancerId, Vec<LaneId>) {
        Self { by_credit: true, ..Self::new(settings) }.serve()
    }

    /// As [`Sim::serving`], and the kernel brings the connections.
    pub(super) fn on_kernel(settings: Settings) -> (Self, BalancerId, Vec<LaneId>) {
        Self { by_kernel: true, ..Self::new(settings) }.serve()
    }

    /// As [`Sim::on_credit`], and the workers can wait at the queue itself.
    pub(super) fn on_credit_at_the_queue(settings: Settings) -> (Self, BalancerId, Vec<LaneId>) {
        Self { by_credit: true, direct: true, ..Self::new(settings) }.serve()
    }

    #[expect(clippy::disallowed_methods, reason = "a virtual clock has to begin at some real instant")]
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            capacity: settings.balancing.window() as usize,
            pool: Pool::new(settings),
            now: Instant::now(),
            orders: Vec::new(),
            notes: Vec::new(),
            changes: Vec::new(),
            lanes: BTreeMap::new(),
            retired: BTreeSet::new(),
            conns: BTreeMap::new(),
            sources: BTreeMap::new(),
            kernel: BTreeMap::new(),
            alive: BTreeSet::new(),
            versions: BTreeMap::new(),
            draining: BTreeSet::new(),
            reloads: Vec::new(),
            fit: true,
            prompt: true,
            pending: VecDeque::new(),
            polite: true,
            reopens: true,
            activity: None,
            proportional: None,
            finding: Finding::Busy,
            done: None,
            by_credit: false,
            by_kernel: false,
            steered: BTreeSet::new(),
            may_open: true,
            direct: false,
            to_look_at: BTreeSet::new(),
            ids: 0,
        }
    }

    /// A cluster whose workers all listen on one address: the lanes are in the order of the slots.
    pub(super) fn serving(settings: Settings) -> (Self, BalancerId, Vec<LaneId>) {
        Self::new(settings).serve()
    }

    /// As [`Sim::serving`], as it was made.
    pub(super) fn serve(mut self) -> (Self, BalancerId, Vec<LaneId>) {
        self.input(Input::Start);
        let balancer = self.open();
        let lanes = (0..self.pool.count_workers()).map(|slot| self.listen(slot, balancer)).collect();
        self.take_orders();
        self.notes.clear();
        self.changes.clear();
        (self, balancer, lanes)
    }

    fn id(&mut self) -> u32 {
        self.ids += 1;
        self.ids
    }

    /// The worker in the slot.
    pub(super) fn slot(&self, slot: usize) -> Worker<'_> {
        let Some(worker) = self.pool.worker_in(slot as u32) else { panic!("there is no slot {slot}") };
        worker
    }

    /// The current incarnation in the slot.
    pub(super) fn worker(&self, slot: usize) -> WorkerId {
        self.slot(slot).id()
    }

    pub(super) fn input(&mut self, input: Input) {
        self.pool.handle(self.now, input);
        self.drain();
    }

    pub(super) fn take_orders(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.orders)
    }

    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    pub(super) fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    // What workers and clients do.

    pub(super) fn open(&mut self) -> BalancerId {
        let balancer = BalancerId(self.id());
        self.kernel.insert(balancer, SimListener { sound: true, ..SimListener::default() });
        let route = match self.by_credit {
            _ if self.by_kernel => Route::Kernel,
            true => Route::Credit,
            false => Route::Handoff,
        };
        self.input(Input::BalancerOpened { balancer, route });
        balancer
    }

    pub(super) fn listen(&mut self, slot: usize, balancer: BalancerId) -> LaneId {
        self.listen_by(self.worker(slot), balancer)
    }

    pub(super) fn listen_by(&mut self, worker: WorkerId, balancer: BalancerId) -> LaneId {
        let lane = LaneId(self.id().into());
        let (queue, held) = (VecDeque::new(), true);
        let (watched, read, one_by_one, away) = (false, false, false, false);
        let (credit, open, singles) = (self.by_credit, false, Singles::default());
        let (direct, empty, woken) = (false, 0, false);
        let lane_made = SimLane {
            worker,
            balancer,
            queue,
            held,
            watched,
            credit,
            open,
            singles,
            direct,
            empty,
            woken,
            one_each: false,
            one_by_one,
            away,
            read,
        };
        self.lanes.insert(lane, lane_made);
        self.input(Input::LaneOpened { lane, worker, balancer });
        if credit {
            let may_open = self.may_open;
            self.input(Input::TakesCredit { lane, on: true });
            self.input(Input::Accepters { lane, threads: 1, may_open, may_watch: may_open && self.direct });
        }
        lane
    }

    /// One of those who share the lane gets one of its own.
    pub(super) fn share(&mut self, from: LaneId) -> LaneId {
        let SimLane { worker, balancer, .. } = self.lanes[&from];
        let to = self.listen_by(worker, balancer);
        self.input(Input::LaneShared { from, to });
        to
    }

    /// A client connects: the connection lies in the kernel's queue until it may be accepted.
    pub(super) fn connect(&mut self, balancer: BalancerId) {
        self.connect_from(balancer, 0);
    }

    pub(super) fn connect_from(&mut self, balancer: BalancerId, source: u64) {
        if let Some(listener) = self.kernel.get_mut(&balancer) {
            listener.queue.push_back(source);
        }
        if self.by_credit && !self.pool.is_hushed(balancer) {
            self.to_look_at.insert(balancer);
            self.drain();
        }
        self.accept();
    }

    /// A connection comes that was accepted before.
    pub(super) fn bring(&mut self, balancer: BalancerId) {
        let conn = ConnId(self.id().into());
        self.conns.insert(conn, Fate::Coming);
        self.tell(Input::Returned { conn, balancer, source: 0 });
        self.drain();
    }

    /// Connections that wait in the kernel.
    pub(super) fn queued(&self, balancer: BalancerId) -> usize {
        self.kernel[&balancer].queue.len()
    }

    /// The listening socket breaks, and what waited in it is lost.
    pub(super) fn fail(&mut self, balancer: BalancerId) {
        if let Some(listener) = self.kernel.get_mut(&balancer) {
            listener.queue.clear();
            listener.sound = false;
        }
        self.input(Input::BalancerFailed { balancer, error: "it broke".to_owned() });
    }

    pub(super) fn command(&mut self, slot: usize, command: Command) {
        self.input(Input::Command { slot: slot as u32, command });
    }

    /// Connections that the worker has or that wait for it, as the kernel sees them.
    pub(in crate::pool) fn open_connections(&self, worker: WorkerId) -> u64 {
        let is_its = |fate: &&Fate| match **fate {
            Fate::InLane(lane) => self.lanes.get(&lane).is_some_and(|lane| lane.worker == worker),
            Fate::TakenBy(by) => by == worker,
            Fate::Coming | Fate::Held | Fate::Closed | Fate::Refused => false,
        };
        self.conns.values().filter(is_its).count() as u64
    }

    /// A connection that the worker has taken is finished.
    pub(super) fn finish(&mut self, worker: WorkerId) -> bool {
        let taken = self.conns.iter().find(|(_, fate)| **fate == Fate::TakenBy(worker));
        let Some(conn) = taken.map(|(conn, _)| *conn) else { return false };
        self.conns.insert(conn, Fate::Closed);
        self.drain();
        true
    }

    /// The shell counts the connections of the worker.
    pub(super) fn count_connections(&mut self, worker: WorkerId) {
        let open = self.open_connections(worker) + self.rights(worker);
        self.input(Input::OpenConnections { worker, open });
    }

    /// The worker receives one record from the lane.
    pub(super) fn take(&mut self, id: LaneId) -> Option<Record> {
        if let Some(taken) = self.accept_by_open(id) {
            return taken;
        }
        let lane = self.lanes.get_mut(&id)?;
        let record = lane.queue.pop_front()?;
        lane.read = true;
        if let Record::Conn(conn) = record {
            self.conns.insert(conn, Fate::TakenBy(lane.worker));
        }
        lane.away = lane.one_by_one;
        let rings = !lane.one_by_one && std::mem::take(&mut lane.watched);
        if record == Record::Single {
            lane.singles.used += 1;
            let conn = self.accept_by_single(id);
            if rings {
                self.ring(id);
            }
            return conn;
        }
        if rings {
            self.count(id);
            self.drain();
        }
        Some(record)
    }

    /// The requests of the lane's thread are long, or no longer.
    pub(super) fn one_by_one(&mut self, id: LaneId, on: bool) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        (lane.one_by_one, lane.away) = (on, false);
        let watched = std::mem::take(&mut lane.watched);
        self.input(Input::OneByOne { lane: id, on });
        if watched {
            self.count(id);
            self.drain();
        }
    }

    /// The lane's thread goes into its wait.
    pub(super) fn wait(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.away = false;
        if lane.one_by_one && std::mem::take(&mut lane.watched) {
            self.count(id);
            self.drain();
        }
    }

    /// A look at the lag of each of these slots, and of all suspects.
    pub(super) fn look(&mut self, lags: &[(usize, u64)]) {
        let told: Vec<_> = lags.iter().map(|(slot, lag)| (self.worker(*slot), ms(*lag))).collect();
        let others =
            self.pool.workers().map(|worker| worker.id()).filter(|id| {
                self.pool.is_in_question(self.now, *id) && !told.iter().any(|(told, _)| told == id)
            });
        let all: Vec<_> = told.iter().copied().chain(others.map(|id| (id, Duration::ZERO))).collect();
        for (worker, lag) in all {
            self.input(Input::Lag { worker, lag });
        }
    }

    pub(super) fn exit(&mut self, slot: usize) {
        self.exit_by(slot, Exit::Code(1));
    }

    pub(super) fn exit_by(&mut self, slot: usize, exit: Exit) {
        let worker = self.worker(slot);
        self.end(worker, exit);
        self.drain();
    }
}

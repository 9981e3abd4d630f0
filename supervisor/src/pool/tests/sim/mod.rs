//! A shell without an operating system: a virtual clock, scripted workers and lanes made of queues, for tests.
//! It accounts for every connection: whoever dispatches, refuses or returns one must be holding it.

mod clock;
mod credit;
pub(in crate::pool) mod history;
mod judge;
mod shell;

use crate::ids::{BalancerId, ConnId, LaneId, WorkerId};
use crate::pool::{
    Activity, Change, Drain, Exit, Finding, Input, Note, Options, Outcome, Output, Pool, Reloaded, Route,
    Settings, WhenNoWorker, Worker, WorkerCommand,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

pub(in crate::pool) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Settings that do not get in the way of a test: all workers boot at once and none drains, the window is 2.
pub(in crate::pool) fn settings(workers: u32) -> Settings {
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
pub(in crate::pool) fn with(mut settings: Settings, change: impl FnOnce(&mut Settings)) -> Settings {
    change(&mut settings);
    settings
}

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Fate {
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
pub(in crate::pool) struct SimListener {
    /// The sources of the connections in the kernel's queue.
    pub(in crate::pool) queue: VecDeque<u64>,
    /// The core wants connections.
    accepting: bool,
    /// It works.
    pub(in crate::pool) sound: bool,
    /// Nobody new comes; told once the queue is empty.
    closing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Record {
    Conn(ConnId),
    Void,
    /// A credit for one accept.
    Single,
    /// An open credit, which may have ended.
    Open,
}

/// What has become of the singles of a lane.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::pool) struct Singles {
    pub(in crate::pool) granted: u64,
    pub(in crate::pool) used: u64,
    pub(in crate::pool) revoked: u64,
}

#[derive(Debug)]
pub(in crate::pool) struct SimLane {
    pub(in crate::pool) worker: WorkerId,
    pub(in crate::pool) balancer: BalancerId,
    pub(in crate::pool) queue: VecDeque<Record>,
    pub(in crate::pool) held: bool,
    watched: bool,
    /// Its process accepts by itself.
    pub(in crate::pool) credit: bool,
    /// It has an open credit.
    pub(in crate::pool) open: bool,
    /// Its worker waits at the queue by that, and does not shut it.
    pub(in crate::pool) direct: bool,
    /// How often it has found the queue empty meanwhile.
    pub(in crate::pool) empty: u32,
    /// Its worker was woken to look at the queue.
    pub(in crate::pool) woken: bool,
    /// It was told to accept one in each round.
    pub(in crate::pool) one_each: bool,
    pub(in crate::pool) singles: Singles,
    /// It is given one by one.
    pub(in crate::pool) one_by_one: bool,
    /// Its thread has taken something since it last waited.
    pub(in crate::pool) away: bool,
    /// Something was read since it was last counted.
    read: bool,
}

#[derive(Debug)]
pub(in crate::pool) struct Sim {
    pub(in crate::pool) pool: Pool,
    pub(in crate::pool) now: Instant,
    /// What was ordered, notes aside, until `take_orders`.
    orders: Vec<Output>,
    pub(in crate::pool) notes: Vec<Note>,
    pub(in crate::pool) changes: Vec<Change>,
    pub(in crate::pool) lanes: BTreeMap<LaneId, SimLane>,
    pub(in crate::pool) retired: BTreeSet<LaneId>,
    pub(in crate::pool) conns: BTreeMap<ConnId, Fate>,
    /// Where each connection came from.
    pub(in crate::pool) sources: BTreeMap<ConnId, u64>,
    /// The socket of each open balancer.
    pub(in crate::pool) kernel: BTreeMap<BalancerId, SimListener>,
    /// Processes that live.
    pub(in crate::pool) alive: BTreeSet<WorkerId>,
    /// What each process was made of.
    pub(in crate::pool) versions: BTreeMap<WorkerId, u32>,
    /// Who drains.
    pub(in crate::pool) draining: BTreeSet<WorkerId>,
    /// How reloads ended.
    pub(in crate::pool) reloads: Vec<(u64, Reloaded)>,
    /// New versions can be run.
    pub(in crate::pool) fit: bool,
    /// What waits for a word may begin.
    pub(in crate::pool) allows: bool,
    /// Answers are given at once, or else wait in `pending`.
    pub(in crate::pool) prompt: bool,
    pub(in crate::pool) pending: VecDeque<Input>,
    /// Connections that fit into a lane.
    pub(in crate::pool) capacity: usize,
    /// Workers end on the stop signal.
    pub(in crate::pool) polite: bool,
    /// Sockets can be opened again.
    pub(in crate::pool) reopens: bool,
    /// What a look at a starting worker finds, of everybody.
    pub(in crate::pool) activity: Option<Activity>,
    /// What a measure of memory finds, of everybody.
    pub(in crate::pool) proportional: Option<u64>,
    /// What an examination finds, of everybody.
    pub(in crate::pool) finding: Finding,
    pub(in crate::pool) done: Option<Outcome>,
    /// Balancers work by credit.
    pub(in crate::pool) by_credit: bool,
    /// The kernel brings connections to the lanes of all balancers.
    pub(in crate::pool) by_kernel: bool,
    /// Balancers whose rotation has changed then.
    pub(in crate::pool) steered: BTreeSet<BalancerId>,
    /// Open credits fit all lanes.
    pub(in crate::pool) may_open: bool,
    /// Workers wait at the queue by open credits.
    pub(in crate::pool) direct: bool,
    /// Queues that are to be looked at.
    to_look_at: BTreeSet<BalancerId>,
    ids: u32,
}

impl Sim {
    /// As [`Sim::serving`], by credit.
    pub(in crate::pool) fn on_credit(settings: Settings) -> (Self, BalancerId, Vec<LaneId>) {
        Self { by_credit: true, ..Self::new(settings) }.serve()
    }

    /// As [`Sim::serving`], and the kernel brings the connections.
    pub(in crate::pool) fn on_kernel(settings: Settings) -> (Self, BalancerId, Vec<LaneId>) {
        Self { by_kernel: true, ..Self::new(settings) }.serve()
    }

    /// As [`Sim::on_credit`], and the workers can wait at the queue itself.
    pub(in crate::pool) fn on_credit_at_the_queue(settings: Settings) -> (Self, BalancerId, Vec<LaneId>) {
        Self { by_credit: true, direct: true, ..Self::new(settings) }.serve()
    }

    #[expect(clippy::disallowed_methods, reason = "a virtual clock has to begin at some real instant")]
    pub(in crate::pool) fn new(settings: Settings) -> Self {
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
            allows: true,
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
    pub(in crate::pool) fn serving(settings: Settings) -> (Self, BalancerId, Vec<LaneId>) {
        Self::new(settings).serve()
    }

    /// As [`Sim::serving`], as it was made.
    pub(in crate::pool) fn serve(mut self) -> (Self, BalancerId, Vec<LaneId>) {
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
    pub(in crate::pool) fn slot(&self, slot: usize) -> Worker<'_> {
        let Some(worker) = self.pool.worker_in(slot as u32) else { panic!("there is no slot {slot}") };
        worker
    }

    /// The current incarnation in the slot.
    pub(in crate::pool) fn worker(&self, slot: usize) -> WorkerId {
        self.slot(slot).id()
    }

    pub(in crate::pool) fn input(&mut self, input: Input) {
        self.pool.handle(self.now, input);
        self.drain();
    }

    pub(in crate::pool) fn take_orders(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.orders)
    }

    pub(in crate::pool) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    pub(in crate::pool) fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    // What workers and clients do.

    pub(in crate::pool) fn open(&mut self) -> BalancerId {
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

    pub(in crate::pool) fn listen(&mut self, slot: usize, balancer: BalancerId) -> LaneId {
        self.listen_by(self.worker(slot), balancer)
    }

    pub(in crate::pool) fn listen_by(&mut self, worker: WorkerId, balancer: BalancerId) -> LaneId {
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
    pub(in crate::pool) fn share(&mut self, from: LaneId) -> LaneId {
        let SimLane { worker, balancer, .. } = self.lanes[&from];
        let to = self.listen_by(worker, balancer);
        self.input(Input::LaneShared { from, to });
        to
    }

    /// A client connects: the connection lies in the kernel's queue until it may be accepted.
    pub(in crate::pool) fn connect(&mut self, balancer: BalancerId) {
        self.connect_from(balancer, 0);
    }

    pub(in crate::pool) fn connect_from(&mut self, balancer: BalancerId, source: u64) {
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
    pub(in crate::pool) fn bring(&mut self, balancer: BalancerId) {
        let conn = ConnId(self.id().into());
        self.conns.insert(conn, Fate::Coming);
        self.tell(Input::Returned { conn, balancer, source: 0 });
        self.drain();
    }

    /// Connections that wait in the kernel.
    pub(in crate::pool) fn queued(&self, balancer: BalancerId) -> usize {
        self.kernel[&balancer].queue.len()
    }

    /// The listening socket breaks, and what waited in it is lost.
    pub(in crate::pool) fn fail(&mut self, balancer: BalancerId) {
        if let Some(listener) = self.kernel.get_mut(&balancer) {
            listener.queue.clear();
            listener.sound = false;
        }
        self.input(Input::BalancerFailed { balancer, error: "it broke".to_owned() });
    }

    pub(in crate::pool) fn command(&mut self, slot: usize, command: WorkerCommand) {
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
    pub(in crate::pool) fn finish(&mut self, worker: WorkerId) -> bool {
        let taken = self.conns.iter().find(|(_, fate)| **fate == Fate::TakenBy(worker));
        let Some(conn) = taken.map(|(conn, _)| *conn) else { return false };
        self.conns.insert(conn, Fate::Closed);
        self.drain();
        true
    }

    /// The shell counts the connections of the worker.
    pub(in crate::pool) fn count_connections(&mut self, worker: WorkerId) {
        let open = self.open_connections(worker) + self.rights(worker);
        self.input(Input::OpenConnections { worker, open });
    }

    /// The worker receives one record from the lane.
    pub(in crate::pool) fn take(&mut self, id: LaneId) -> Option<Record> {
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
    pub(in crate::pool) fn one_by_one(&mut self, id: LaneId, on: bool) {
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
    pub(in crate::pool) fn wait(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.away = false;
        if lane.one_by_one && std::mem::take(&mut lane.watched) {
            self.count(id);
            self.drain();
        }
    }

    /// A look at the lag of each of these slots, and of all suspects.
    pub(in crate::pool) fn look(&mut self, lags: &[(usize, u64)]) {
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

    pub(in crate::pool) fn exit(&mut self, slot: usize) {
        self.exit_by(slot, Exit::Code(1));
    }

    pub(in crate::pool) fn exit_by(&mut self, slot: usize, exit: Exit) {
        let worker = self.worker(slot);
        self.end(worker, exit);
        self.drain();
    }
}

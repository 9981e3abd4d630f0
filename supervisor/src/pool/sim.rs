//! A shell without an operating system: a virtual clock, scripted workers and lanes made of queues, for tests.
//! It accounts for every connection: whoever dispatches, refuses or returns one must be holding it.

use super::{Exit, Input, Note, Outcome, Output, Pool, Settings, Signal};
use crate::ids::{BalancerId, ConnId, LaneId, WorkerId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

pub(super) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Settings that do not get in the way of a test: all workers boot at once, the window is 2.
pub(super) fn settings(workers: u32) -> Settings {
    Settings {
        workers,
        max_starting: workers,
        boot_slot: ms(5_000),
        start_timeout: ms(30_000),
        respawn: None,
        min_uptime: ms(10_000),
        restart_delay: ms(100),
        max_restart_delay: ms(30_000),
        stop_timeout: Some(ms(10_000)),
        window: 2,
        lag_limit: Some(ms(1_000)),
        look_after: ms(20),
        seed: 7,
    }
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
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Conn(ConnId),
    Void,
}

#[derive(Debug)]
pub(super) struct SimLane {
    pub(super) worker: WorkerId,
    pub(super) balancer: BalancerId,
    pub(super) queue: VecDeque<Record>,
    pub(super) held: bool,
    watched: bool,
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
    pub(super) lanes: BTreeMap<LaneId, SimLane>,
    retired: BTreeSet<LaneId>,
    pub(super) conns: BTreeMap<ConnId, Fate>,
    /// Each open balancer with its kernel queue, and whether the shell may accept from it.
    pub(super) kernel: BTreeMap<BalancerId, (u32, bool)>,
    /// Processes that live.
    pub(super) alive: BTreeSet<WorkerId>,
    /// Answers are given at once, or else wait in `pending`.
    pub(super) prompt: bool,
    pub(super) pending: VecDeque<Input>,
    /// Connections that fit into a lane.
    pub(super) capacity: usize,
    /// Workers end on the stop signal.
    pub(super) polite: bool,
    pub(super) done: Option<Outcome>,
    ids: u32,
}

impl Sim {
    #[expect(clippy::disallowed_methods, reason = "a virtual clock has to begin at some real instant")]
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            capacity: settings.window as usize,
            pool: Pool::new(settings),
            now: Instant::now(),
            orders: Vec::new(),
            notes: Vec::new(),
            lanes: BTreeMap::new(),
            retired: BTreeSet::new(),
            conns: BTreeMap::new(),
            kernel: BTreeMap::new(),
            alive: BTreeSet::new(),
            prompt: true,
            pending: VecDeque::new(),
            polite: true,
            done: None,
            ids: 0,
        }
    }

    /// A cluster whose workers all listen on one address: the lanes are in the order of the slots.
    pub(super) fn serving(settings: Settings) -> (Self, BalancerId, Vec<LaneId>) {
        let mut sim = Self::new(settings);
        sim.input(Input::Start);
        let balancer = sim.open();
        let lanes = (0..sim.pool.count_workers()).map(|slot| sim.listen(slot, balancer)).collect();
        sim.take_orders();
        sim.notes.clear();
        (sim, balancer, lanes)
    }

    fn id(&mut self) -> u32 {
        self.ids += 1;
        self.ids
    }

    /// The current incarnation in the slot.
    pub(super) fn worker(&self, slot: usize) -> WorkerId {
        self.pool.workers()[slot].id()
    }

    pub(super) fn input(&mut self, input: Input) {
        self.pool.handle(self.now, input);
        self.drain();
    }

    pub(super) fn take_orders(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.orders)
    }

    pub(super) fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    // What workers and clients do.

    pub(super) fn open(&mut self) -> BalancerId {
        let balancer = BalancerId(self.id());
        self.kernel.insert(balancer, (0, false));
        self.input(Input::BalancerOpened { balancer });
        balancer
    }

    pub(super) fn listen(&mut self, slot: usize, balancer: BalancerId) -> LaneId {
        let (worker, lane) = (self.worker(slot), LaneId(self.id().into()));
        let (queue, held) = (VecDeque::new(), true);
        self.lanes.insert(lane, SimLane { worker, balancer, queue, held, watched: false, read: false });
        self.input(Input::LaneOpened { lane, worker, balancer });
        lane
    }

    /// A client connects: the connection lies in the kernel's queue until it may be accepted.
    pub(super) fn connect(&mut self, balancer: BalancerId) {
        if let Some((queued, _)) = self.kernel.get_mut(&balancer) {
            *queued += 1;
        }
        self.accept();
    }

    /// The worker receives one record from the lane.
    pub(super) fn take(&mut self, id: LaneId) -> Option<Record> {
        let lane = self.lanes.get_mut(&id)?;
        let record = lane.queue.pop_front()?;
        lane.read = true;
        if let Record::Conn(conn) = record {
            self.conns.insert(conn, Fate::TakenBy(lane.worker));
        }
        if std::mem::take(&mut lane.watched) {
            self.count(id, 0);
            self.drain();
        }
        Some(record)
    }

    pub(super) fn exit(&mut self, slot: usize) {
        let worker = self.worker(slot);
        self.end(worker);
        self.drain();
    }

    // The clock.

    /// Moves the clock to the next deadline and does what is due; false when nothing is waited for.
    pub(super) fn step(&mut self) -> bool {
        let Some(at) = self.pool.next_deadline() else { return false };
        self.now = self.now.max(at);
        self.timeout();
        true
    }

    /// Steps until nothing is waited for; a core that never comes to that fails instead of hanging.
    pub(super) fn drive_bounded(&mut self) {
        assert!((0..200).any(|_| !self.step()), "still waiting for {:?}", self.pool.next_timer());
    }

    /// Lets the time pass, with every deadline on the way met exactly.
    pub(super) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        for _ in 0..10_000 {
            if self.pool.next_deadline().is_none_or(|at| at > end) {
                self.now = end;
                return;
            }
            self.step();
        }
        panic!("ten thousand deadlines within {by:?}");
    }

    /// The clock jumps, as for a supervisor that did not get to run.
    pub(super) fn jump(&mut self, by: Duration) {
        self.now += by;
        self.timeout();
    }

    fn timeout(&mut self) {
        self.pool.handle_timeout(self.now);
        assert!(
            self.pool.next_deadline().is_none_or(|at| at > self.now),
            "a deadline that has come was kept"
        );
        self.drain();
    }

    // The shell.

    pub(super) fn drain(&mut self) {
        for _ in 0..100_000 {
            let Some(output) = self.pool.poll_output() else {
                let held = self.conns.values().filter(|fate| **fate == Fate::Held).count();
                assert_eq!(self.pool.held(), held, "the core does not hold what it was given");
                return self.accept();
            };
            if let Output::Note(note) = output {
                self.notes.push(note);
            } else {
                self.orders.push(output.clone());
                self.carry_out(output);
            }
        }
        panic!("the core and the shell keep each other busy: {:?}", &self.orders[self.orders.len() - 9..]);
    }

    /// Takes connections out of kernel queues, like the shell: while it may, and again after `Resume`.
    fn accept(&mut self) {
        let ids: Vec<_> = self.kernel.keys().copied().collect();
        for balancer in ids {
            let may = self.pool.may_accept(balancer);
            let Some((queued, accepting)) = self.kernel.get_mut(&balancer) else { continue };
            *accepting &= may;
            if *accepting && *queued > 0 {
                *queued -= 1;
                let conn = ConnId(self.id().into());
                self.conns.insert(conn, Fate::Held);
                return self.input(Input::Accepted { conn, balancer });
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Spawn { worker } => {
                self.alive.insert(worker);
                let pid = self.id();
                self.answer(Input::Spawned { worker, pid });
            }
            Output::Dispatch { conn, lane } => self.dispatch(conn, lane),
            Output::Refuse { conn } => self.moved(conn, Fate::Held, Fate::Refused),
            Output::Measure { lane } => self.count(lane, 0),
            Output::Watch { lane } => {
                let Some(watched) = self.lanes.get_mut(&lane) else { return };
                watched.watched = true;
                if watched.read {
                    watched.watched = false;
                    self.count(lane, 0);
                }
            }
            Output::Look { lane } => {
                let looked = self.lanes.get(&lane).map(|lane| (lane.queue.len() as u32, lane.held));
                let (waiting, held) = looked.unwrap_or((0, false));
                self.answer(Input::Looked { lane, waiting, held });
            }
            Output::TakeBack { lane } => {
                self.empty(lane);
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    lane.queue.push_back(Record::Void);
                }
            }
            Output::Retire { lane } => {
                self.empty(lane);
                self.lanes.remove(&lane);
                self.retired.insert(lane);
            }
            Output::Resume { balancer } => {
                if let Some((_, accepting)) = self.kernel.get_mut(&balancer) {
                    *accepting = true;
                }
            }
            Output::CloseBalancer { balancer } => {
                self.kernel.remove(&balancer);
            }
            Output::Signal { worker, signal } => {
                if self.polite || signal == Signal::Kill {
                    self.end(worker);
                }
            }
            Output::Note(_) => {}
            Output::Done(outcome) => {
                assert_eq!(self.done.replace(outcome), None, "done twice");
            }
        }
    }

    fn dispatch(&mut self, conn: ConnId, id: LaneId) {
        assert!(!self.retired.contains(&id), "{conn:?} was dispatched to {id:?}, which is closed");
        match self.lanes.get_mut(&id).filter(|lane| lane.queue.len() < self.capacity) {
            Some(lane) => {
                lane.queue.push_back(Record::Conn(conn));
                self.moved(conn, Fate::Held, Fate::InLane(id));
            }
            None => {
                let (balancer, window) = (self.pool.lane(id).map(|lane| lane.balancer()), self.window());
                self.moved(conn, Fate::Held, Fate::Coming);
                self.count(id, window);
                let balancer = balancer.expect("only a lane that the core knows is dispatched to");
                self.answer(Input::Returned { conn, balancer });
            }
        }
    }

    fn window(&self) -> u32 {
        self.pool.settings().window
    }

    fn count(&mut self, id: LaneId, at_least: u32) {
        let Some(lane) = self.lanes.get_mut(&id) else { return self.answer(Input::LaneClosed { lane: id }) };
        lane.read = false;
        let waiting = (lane.queue.len() as u32).max(at_least);
        self.answer(Input::Measured { lane: id, waiting });
    }

    /// What waits in the lane comes back.
    fn empty(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let (balancer, queue) = (lane.balancer, std::mem::take(&mut lane.queue));
        for record in queue {
            if let Record::Conn(conn) = record {
                self.moved(conn, Fate::InLane(id), Fate::Coming);
                self.answer(Input::Returned { conn, balancer });
            }
        }
    }

    /// The process ends. That it has is told even of one that never was, as by a signal to nobody.
    fn end(&mut self, worker: WorkerId) {
        self.alive.remove(&worker);
        for lane in self.lanes.values_mut().filter(|lane| lane.worker == worker) {
            lane.held = false;
        }
        self.answer(Input::Exited { worker, exit: Exit::Code(1) });
    }

    fn answer(&mut self, input: Input) {
        if self.prompt { self.tell(input) } else { self.pending.push_back(input) }
    }

    pub(super) fn tell(&mut self, input: Input) {
        if let Input::Returned { conn, .. } = input {
            self.moved(conn, Fate::Coming, Fate::Held);
        }
        self.pool.handle(self.now, input);
    }

    fn moved(&mut self, conn: ConnId, from: Fate, to: Fate) {
        let fate = self.conns.insert(conn, to);
        assert_eq!(fate, Some(from), "{conn:?} became {to:?}");
    }
}

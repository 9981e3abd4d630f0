//! A shell without an operating system: a virtual clock, scripted workers and lanes made of queues, for tests.
//! It accounts for every connection: whoever dispatches, refuses or returns one must be holding it.

mod shell;

use super::{Input, Note, Outcome, Output, Pool, Settings};
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
    pub(super) retired: BTreeSet<LaneId>,
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
}

//! A history: a simulator, what it has been told, and what may happen to it next. Numbers choose among what exists, so that any
//! bytes and any random numbers make one.

use super::{Fate, Sim, ms};
use crate::ids::{BalancerId, ConnId, LaneId, WorkerId};
use crate::pool::{Exit, Finding, Input, Route, Settings, WorkerCommand};
use crate::settings::{Drain, MemoryLimit, Rollback, WhenNoWorker};

/// What happens next; numbers choose among what exists.
#[derive(Clone, Debug)]
pub(in crate::pool) enum Act {
    Connect(usize, u64),
    Take(usize),
    TakeAll(usize),
    Open,
    Listen(usize, usize),
    Share(usize),
    LetGo(usize),
    OneByOne(usize, bool),
    Wait(usize),
    Break(usize),
    /// A connection that was another worker's, and was taken from it.
    Move(usize),
    /// The lane's process has no descriptor left.
    Exhaust(usize),
    /// The lane's open credit did not move though its thread waits.
    Stall(usize),
    /// The lane's thread has been woken.
    Wake(usize),
    Accepters(usize, u32, bool),
    /// The lane's process takes credit, or no longer.
    Credit(usize, bool),
    Exit(usize, i32),
    Finish(usize),
    Count(usize),
    Fail(usize),
    Reopens,
    WorkerCommand(usize, WorkerCommand),
    Scale(u32),
    /// Other settings, of which each bit chooses one.
    Configure(u16),
    Lag(usize, u16),
    Lags(Vec<u16>),
    LateLook(usize, u16),
    Find(Finding),
    Ready(usize),
    SayStopping(usize),
    Extend(usize, u16),
    EndRetiring(usize),
    Reload,
    Abort,
    Unfit,
    Deny,
    Weigh(usize, u16),
    Quiet(usize),
    FailSpawn(usize),
    Advance(u16),
    Jump(u32),
    Stubborn,
    Stop,
    Halt,
    Kill,
    // Only of a dishonest shell.
    Late,
    Prompt,
    Deliver(usize),
    Repeat(usize),
    Nonsense(u8, u32, u64),
}

/// How the workers of a history get connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Dispatch {
    Handoff,
    Credit,
    /// By credit, and who has an open one waits at the queue itself.
    AtTheQueue,
}

/// A simulator and what it has been told, to tell again.
pub(in crate::pool) struct History {
    pub(in crate::pool) sim: Sim,
    pub(in crate::pool) told: Vec<Input>,
}

impl History {
    /// A cluster of which this many workers listen already.
    pub(in crate::pool) fn new(settings: Settings, listening: usize, by: Dispatch) -> Self {
        let mut history = Self { sim: Sim::new(settings), told: Vec::new() };
        history.sim.by_credit = by != Dispatch::Handoff;
        history.sim.direct = by == Dispatch::AtTheQueue;
        history.tell(Input::Start);
        if listening > 0 {
            history.sim.open();
        }
        for slot in 0..listening {
            history.act(Act::Listen(slot, 0));
        }
        history
    }

    pub(in crate::pool) fn tell(&mut self, input: Input) {
        // A connection is never reported twice, nor a lane that has been closed opened; all else may be told again.
        match &input {
            Input::LaneOpened { lane, .. } if self.sim.retired.contains(lane) => return,
            Input::Accepted { .. } | Input::Returned { .. } => {}
            Input::Stop | Input::Halt | Input::Kill => {}
            _ => self.told.push(input.clone()),
        }
        self.sim.tell(input);
        self.sim.drain();
    }

    fn lane(&self, n: usize) -> Option<LaneId> {
        self.sim.lanes.keys().nth(n.checked_rem(self.sim.lanes.len())?).copied()
    }

    fn balancer(&self, n: usize) -> Option<BalancerId> {
        self.sim.kernel.keys().nth(n.checked_rem(self.sim.kernel.len())?).copied()
    }

    /// A process that lives: a slot's own, a successor, or one that retires.
    fn process(&self, n: usize) -> Option<WorkerId> {
        self.sim.alive.iter().nth(n.checked_rem(self.sim.alive.len())?).copied()
    }

    /// The slot of a worker with a live process.
    fn slot(&self, n: usize) -> Option<usize> {
        let live = |slot: &usize| self.sim.alive.contains(&self.sim.worker(*slot));
        let slots: Vec<_> = (0..self.sim.pool.count_workers()).filter(live).collect();
        slots.get(n.checked_rem(slots.len())?).copied()
    }

    pub(in crate::pool) fn act(&mut self, act: Act) -> Option<()> {
        match act {
            Act::Connect(n, source) => self.sim.connect_from(self.balancer(n)?, source),
            Act::Take(n) => {
                self.sim.take(self.lane(n)?);
            }
            Act::TakeAll(n) => {
                let lane = self.lane(n)?;
                while self.sim.take(lane).is_some() {}
            }
            Act::Open if self.sim.kernel.len() < 3 => {
                self.sim.open();
            }
            Act::Open => {}
            Act::Listen(slot, balancer) => {
                self.sim.listen_by(self.process(slot)?, self.balancer(balancer)?);
            }
            Act::Share(n) => {
                let lane = self.lane(n)?;
                self.sim.share(lane);
            }
            Act::LetGo(n) => {
                let lane = self.lane(n)?;
                self.sim.lanes.get_mut(&lane)?.held = false;
            }
            Act::OneByOne(n, on) => {
                let lane = self.lane(n)?;
                self.sim.one_by_one(lane, on);
            }
            Act::Wait(n) => {
                let lane = self.lane(n)?;
                self.sim.wait(lane);
            }
            Act::Move(n) => self.sim.bring(self.balancer(n)?),
            Act::Exhaust(n) => self.sim.exhaust(self.lane(n)?),
            Act::Stall(n) => self.sim.stall(self.lane(n)?),
            Act::Wake(n) => self.tell(Input::Woken { lane: self.lane(n)? }),
            Act::Accepters(n, threads, may_open) => {
                let may_watch = may_open;
                let lane = self.lane(n)?;
                self.tell(Input::Accepters { lane, threads, may_open, may_watch });
            }
            Act::Credit(n, on) => self.sim.takes_credit(self.lane(n)?, on),
            Act::Break(n) => self.tell(Input::LaneClosed { lane: self.lane(n)? }),
            Act::Exit(n, code) => {
                self.sim.end(self.process(n)?, Exit::Code(code));
                self.sim.drain();
            }
            Act::Finish(n) => {
                self.sim.finish(self.process(n)?);
            }
            Act::Count(n) => self.sim.count_connections(self.process(n)?),
            Act::Fail(n) => self.sim.fail(self.balancer(n)?),
            Act::Reopens => self.sim.reopens = !self.sim.reopens,
            Act::WorkerCommand(n, command) => {
                // Now and then to a slot that there is not.
                let slot = n % (self.sim.pool.count_workers() + 1);
                self.sim.command(slot, command);
            }
            Act::Lag(n, lag) => self.lag(n, lag)?,
            Act::Lags(lags) => {
                let count = self.sim.pool.count_workers();
                for (n, lag) in lags.into_iter().enumerate().filter(|(n, _)| *n < count) {
                    self.lag(n, lag)?;
                }
                // What goes on without a look in between is one look.
                self.sim.advance(ms(200));
            }
            Act::LateLook(n, lag) => {
                self.tell(Input::Late);
                let before = self.suspects();
                self.lag(n, lag)?;
                assert_eq!(self.suspects(), before, "a late look counts");
            }
            Act::Ready(n) => {
                let worker = self.process(n)?;
                self.tell(Input::Ready { worker });
            }
            Act::SayStopping(n) => {
                let worker = self.sim.worker(self.slot(n)?);
                self.tell(Input::SaysStopping { worker });
            }
            Act::Extend(n, by) => {
                let worker = self.sim.worker(self.slot(n)?);
                self.tell(Input::Extended { worker, by: ms(by.into()) });
            }
            Act::Abort => self.tell(Input::AbortReload),
            Act::Reload => {
                let ticket = self.told.len() as u64;
                self.tell(Input::Reload { ticket, in_place: ticket % 3 == 2 });
            }
            Act::Unfit => self.sim.fit = !self.sim.fit,
            Act::Deny => self.sim.allows = !self.sim.allows,
            Act::Weigh(n, bytes) => {
                let worker = self.process(n)?;
                self.sim.proportional = [None, Some(1), Some(bytes.into())][usize::from(bytes % 3)];
                self.tell(Input::Memory { worker, bytes: bytes.into() });
            }
            Act::Quiet(n) => {
                let worker = self.process(n)?;
                self.tell(Input::Quiet { worker });
            }
            Act::Halt => self.tell(Input::Halt),
            Act::Find(finding) => self.sim.finding = finding,
            Act::EndRetiring(n) => {
                let count = self.sim.pool.retiring().count();
                let (worker, _) = self.sim.pool.retiring().nth(n.checked_rem(count)?)?;
                self.sim.end(worker, Exit::Code(0));
                self.sim.drain();
            }
            Act::Scale(workers) => self.tell(Input::Scale { workers }),
            Act::Configure(bits) => {
                // The shell refuses it meanwhile.
                if self.sim.pool.rollout().is_some() {
                    return None;
                }
                let settings = Box::new(other(self.sim.pool.settings(), bits));
                self.tell(Input::Configure { settings });
            }
            Act::FailSpawn(n) => self.tell(Input::SpawnFailed {
                worker: self.sim.worker(n % self.sim.pool.count_workers()),
                error: "no such file".to_owned(),
            }),
            Act::Advance(by) => self.sim.advance(ms(by.into())),
            Act::Jump(by) => self.sim.jump(ms(by.into())),
            Act::Stubborn => self.sim.polite = !self.sim.polite,
            Act::Stop => self.tell(Input::Stop),
            Act::Kill => self.tell(Input::Kill),
            Act::Late => self.sim.prompt = false,
            Act::Prompt => {
                self.sim.prompt = true;
                self.deliver_all();
            }
            Act::Deliver(n) => {
                let n = n.checked_rem(self.sim.pending.len())?;
                let input = self.sim.pending.remove(n)?;
                self.tell(input);
            }
            Act::Repeat(n) => {
                let input = self.told[n.checked_rem(self.told.len())?].clone();
                self.tell(input);
            }
            Act::Nonsense(what, small, id) => self.nonsense(what, small, id),
        }
        Some(())
    }

    fn suspects(&self) -> Vec<WorkerId> {
        let pool = &self.sim.pool;
        let ids = pool.workers().chain(pool.successors()).map(|worker| worker.id());
        ids.filter(|id| self.sim.pool.is_suspect(*id)).collect()
    }

    /// How many are running and not cordoned.
    fn serving(&self) -> usize {
        let everyone = self.sim.pool.workers().chain(self.sim.pool.successors());
        everyone.filter(|worker| worker.is_running() && !worker.is_cordoned()).count()
    }

    /// A look at one worker, after which no more than half are out if it went out.
    fn lag(&mut self, n: usize, lag: u16) -> Option<()> {
        let worker = self.sim.worker(n.checked_rem(self.sim.pool.count_workers())?);
        let (before, serving) = (self.suspects().len(), self.serving());
        self.tell(Input::Lag { worker, lag: ms(lag.into()) });
        // A rollout may stop one in the same moment, but that was after.
        let serving = serving.max(self.serving());
        let pool = &self.sim.pool;
        let out =
            self.suspects().iter().filter(|id| !pool.worker(**id).is_some_and(|it| it.is_cordoned())).count();
        assert!(
            self.suspects().len() <= before || out <= serving / 2,
            "more than half are out: {:?}",
            self.suspects()
        );
        Some(())
    }

    fn nonsense(&mut self, what: u8, small: u32, id: u64) {
        let worker = WorkerId { slot: small % 7, incarnation: (id % 5) as u32 };
        let (lane, balancer) = (LaneId(id), BalancerId(id as u32));
        let conn = ConnId(1_000_000 + self.sim.conns.len() as u64);
        match what % 24 {
            23 if small.is_multiple_of(2) => self.tell(Input::Unlistened { balancer }),
            23 => self.tell(Input::NoRoom { lane: LaneId(100_000 + id) }),
            17 => self.tell(Input::Queued { balancer, waiting: small }),
            18 => self.tell(Input::Shut { lane: LaneId(100_000 + id) }),
            19 => self.tell(Input::Took { lane, count: small }),
            20 => self.tell(Input::NoneTaken { lane: LaneId(100_000 + id) }),
            21 => self.tell(Input::Stalled { lane }),
            22 => self.tell(Input::Exhausted { lane }),
            16 => self.tell(Input::OneByOne { lane, on: small.is_multiple_of(2) }),
            15 => self.tell(Input::LaneShared { from: lane, to: LaneId(id / 2) }),
            0 => self.tell(Input::Spawned { worker, pid: small }),
            1 => self.tell(Input::LaneOpened { lane: LaneId(100_000 + id), worker, balancer }),
            2 => self.tell(Input::LaneClosed { lane }),
            3 => self.tell(Input::Measured { lane, waiting: small }),
            4 => self.tell(Input::Looked { lane, waiting: small, held: what < 200 }),
            5 => self.tell(Input::Exited { worker, exit: Exit::Code(0) }),
            6 => self.tell(Input::BalancerOpened { balancer, route: Route::Handoff }),
            7 => {
                self.sim.conns.insert(conn, Fate::Held);
                self.tell(Input::Accepted { conn, balancer, source: 0 });
            }
            8 => self.tell(Input::OpenConnections { worker, open: id }),
            9 => self.tell(Input::BalancerReopened { balancer, anew: id.is_multiple_of(2) }),
            11 => self.tell(Input::Lag { worker, lag: ms(id * 100) }),
            12 => self.tell(Input::Late),
            13 => {
                let (finding, evidence) = (self.sim.finding, String::new());
                self.tell(Input::Examined { worker, finding, evidence });
            }
            10 => self.tell(Input::BalancerFailed { balancer, error: String::new() }),
            _ => {
                self.sim.conns.insert(conn, Fate::Coming);
                self.tell(Input::Returned { conn, balancer, source: 0 });
            }
        }
    }

    pub(in crate::pool) fn deliver_all(&mut self) {
        while let Some(input) = self.sim.pending.pop_front() {
            self.tell(input);
        }
    }
}

/// The same settings, but for what a running cluster can be told anew.
fn other(settings: &Settings, bits: u16) -> Settings {
    let mut other = settings.clone();
    let is = |bit: u16| bits & 1 << bit != 0;
    // As with the connections below, those that are starting go on if fewer may.
    other.max_starting += u32::from(is(0));
    other.restart.respawn = if is(1) { -1 } else { 1 };
    other.restart.restart_delay = ms(if is(2) { 0 } else { 300 });
    other.restart.keep_trying = is(3);
    // Whoever is stopping already has the time that held then.
    other.stop.stop_timeout =
        other.stop.stop_timeout.map(|time| time.map(|_| ms(if is(4) { 400 } else { 900 })));
    other.stop.drain = if is(5) { Drain::Quiet } else { Drain::None };
    other.stop.shutdown_timeout = is(6).then(|| ms(2_000));
    (other.rollout.max_surge, other.rollout.max_unavailable) = if is(7) { (2, 0) } else { (0, 1) };
    other.rollout.rollback = if is(8) { Rollback::All } else { Rollback::None };
    other.health.lag_limit = is(9).then(|| ms(700));
    other.recycle.memory_limit = is(10).then_some(MemoryLimit::Bytes(20_000));
    other.balancing.when_no_worker =
        if is(11) { WhenNoWorker::Refuse } else { WhenNoWorker::Hold { refuse_after: None } };
    // Whether there is a limit stands from the start, and who has more than a lower one keeps them.
    other.balancing.max_connections = other.balancing.max_connections.map(|max| max + u32::from(is(12)));
    other.readiness.start_timeout = ms(if is(13) { 1_000 } else { 60_000 });
    other
}

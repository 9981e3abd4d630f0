//! Random histories: an honest shell with random workers and clients, and one that is also late, wrong and repetitive.
//! Invariants are checked after every input, and the simulator accounts for every connection.

use super::acts::{Act, any_settings, dishonest, honest};
use crate::ids::{BalancerId, ConnId, LaneId, WorkerId};
use crate::pool::sim::{Fate, Sim, ms};
use crate::pool::{
    BalancerState, Change, Exit, Finding, Input, Note, Output, Phase, Reloaded, Settings, Standing, State,
    WhenNoWorker,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use std::collections::BTreeSet;
use std::time::Duration;

/// The seed of the histories, the same each time: whether a change passes is not left to chance. Others are gone through by
/// `PROPTEST_RNG_SEED=N PROPTEST_CASES=100000 cargo test -p clustermon --lib random`; what is found becomes a test of its own.
const SEED: u64 = 20_261_129;

pub(super) fn config() -> Config {
    let config = Config::default();
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(SEED),
        chosen @ RngSeed::Fixed(_) => chosen,
    };
    Config { cases: config.cases.max(4_096), failure_persistence: None, rng_seed, ..config }
}

/// A simulator and what it has been told, to tell again.
struct Run {
    sim: Sim,
    told: Vec<Input>,
}

impl Run {
    /// A cluster of which this many workers listen already.
    fn new(settings: Settings, listening: usize, by_credit: bool) -> Self {
        let mut run = Self { sim: Sim::new(settings), told: Vec::new() };
        run.sim.by_credit = by_credit;
        run.tell(Input::Start);
        if listening > 0 {
            run.sim.open();
        }
        for slot in 0..listening {
            run.act(Act::Listen(slot, 0));
        }
        run
    }

    fn tell(&mut self, input: Input) {
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

    /// A process that lives: a slot's own, a successor, or one that leaves.
    fn process(&self, n: usize) -> Option<WorkerId> {
        self.sim.alive.iter().nth(n.checked_rem(self.sim.alive.len())?).copied()
    }

    /// The slot of a worker with a live process.
    fn slot(&self, n: usize) -> Option<usize> {
        let workers = self.sim.pool.workers();
        let live = |slot: &usize| self.sim.alive.contains(&workers[*slot].id());
        let slots: Vec<_> = (0..workers.len()).filter(live).collect();
        slots.get(n.checked_rem(slots.len())?).copied()
    }

    fn act(&mut self, act: Act) -> Option<()> {
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
            Act::Command(n, command) => {
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
            Act::Resign(n) => {
                let worker = self.sim.worker(self.slot(n)?);
                self.tell(Input::Resigned { worker });
            }
            Act::Extend(n, by) => {
                let worker = self.sim.worker(self.slot(n)?);
                self.tell(Input::Extended { worker, by: ms(by.into()) });
            }
            Act::Abort => self.tell(Input::AbortReload),
            Act::Reload => {
                let ticket = self.told.len() as u64;
                self.tell(Input::Reload { ticket });
            }
            Act::Unfit => self.sim.fit = !self.sim.fit,
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
            Act::EndLeaving(n) => {
                let leaving = self.sim.pool.leaving();
                let worker = leaving.get(n.checked_rem(leaving.len())?)?.id();
                self.sim.end(worker, Exit::Code(0));
                self.sim.drain();
            }
            Act::Scale(workers) => self.tell(Input::Scale { workers }),
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
        let ids = pool.workers().iter().chain(pool.successors()).map(|worker| worker.id());
        ids.filter(|id| self.sim.pool.is_suspect(*id)).collect()
    }

    /// How many are running and not cordoned.
    fn serving(&self) -> usize {
        let everyone = self.sim.pool.workers().iter().chain(self.sim.pool.successors());
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
        match what % 17 {
            16 => self.tell(Input::OneByOne { lane, on: small.is_multiple_of(2) }),
            15 => self.tell(Input::LaneShared { from: lane, to: LaneId(id / 2) }),
            0 => self.tell(Input::Spawned { worker, pid: small }),
            1 => self.tell(Input::LaneOpened { lane: LaneId(100_000 + id), worker, balancer }),
            2 => self.tell(Input::LaneClosed { lane }),
            3 => self.tell(Input::Measured { lane, waiting: small }),
            4 => self.tell(Input::Looked { lane, waiting: small, held: what < 200 }),
            5 => self.tell(Input::Exited { worker, exit: Exit::Code(0) }),
            6 => self.tell(Input::BalancerOpened { balancer, by_credit: false }),
            7 => {
                self.sim.conns.insert(conn, Fate::Held);
                self.tell(Input::Accepted { conn, balancer, source: 0 });
            }
            8 => self.tell(Input::OpenConnections { worker, open: id }),
            9 => self.tell(Input::BalancerReopened { balancer }),
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

    fn deliver_all(&mut self) {
        while let Some(input) = self.sim.pending.pop_front() {
            self.tell(input);
        }
    }

    /// Stop, a long jump of the clock, and nothing is left.
    fn end(mut self, honest: bool) {
        self.sim.prompt = true;
        self.deliver_all();
        self.tell(Input::Stop);
        // The door, the drain, the signal and the kill: each begins when the one before was late.
        for _ in 0..4 {
            self.sim.jump(Duration::from_secs(365 * 24 * 3600));
        }
        if self.sim.done.is_none() {
            let debugged = |state| matches!(state, State::Stopping(stop) if stop.debugging);
            assert!(
                self.sim.pool.settings().stop_timeout.is_none()
                    || self.sim.pool.workers().iter().any(|worker| debugged(worker.state())),
                "it takes a kill only without a time to stop, or when somebody debugs"
            );
            self.tell(Input::Kill);
        }
        assert!(self.sim.done.is_some(), "the cluster did not come to rest: {:?}", self.sim.pool);
        assert!(matches!(self.sim.pool.phase(), Phase::Done(_)));
        assert!(!self.sim.step(), "something is still waited for");
        assert_eq!(self.sim.pool.count_active_workers(), 0);
        assert!(self.sim.pool.leaving().is_empty(), "{:?}", self.sim.pool.leaving());
        assert!(!honest || self.sim.alive.is_empty(), "a process was forgotten: {:?}", self.sim.alive);
        assert!(self.sim.kernel.is_empty(), "a listening socket was forgotten");
        for (conn, fate) in &self.sim.conns {
            assert!(
                matches!(fate, Fate::TakenBy(_) | Fate::Closed | Fate::Refused),
                "{conn:?} was lost: {fate:?}"
            );
        }
        self.judged_by_the_rules();
        self.sim.jump(Duration::from_secs(365 * 24 * 3600));
        self.tell(Input::Kill);
        self.tell(Input::Start);
        let orders = self.sim.take_orders();
        let mut orders = orders.into_iter().skip_while(|order| !matches!(order, Output::Done(_)));
        assert!(orders.next().is_some(), "the end was not told");
        let closes = |order: &Output| match order {
            Output::Refuse { .. } | Output::Retire { .. } | Output::CloseBalancer { .. } => true,
            // Whoever asks is answered.
            Output::Reloaded { reloaded, .. } => *reloaded == Reloaded::Stopped,
            _ => false,
        };
        assert!(orders.all(|order| closes(&order)), "more than what came late was closed after the end");
    }

    /// By credit: in the end everybody who may take what waits in a queue has been told so, whoever was told before and takes
    /// nothing.
    fn everybody_is_told(&mut self) {
        let waits = |sim: &Sim| sim.kernel.values().any(|listener| !listener.queue.is_empty());
        // One that has been full is found to have room only when it is counted again.
        let is_limited = self.sim.pool.settings().max_connections.is_some();
        if !self.sim.by_credit || is_limited || !waits(&self.sim) {
            return;
        }
        // Whoever may take only since a moment ago, because its address was opened again or its worker is ready, is told later.
        let could: BTreeSet<LaneId> =
            self.sim.lanes.keys().copied().filter(|id| self.may_take(*id)).collect();
        self.sim.advance(ms(self.sim.lanes.len() as u64 * 2 + 2));
        for (id, lane) in &self.sim.lanes {
            let waits =
                self.sim.kernel.get(&lane.balancer).is_some_and(|listener| !listener.queue.is_empty());
            let told = !lane.queue.is_empty() || lane.open;
            assert!(
                told || !waits || !could.contains(id) || !self.may_take(*id),
                "{id:?} has not been told: {:?}",
                self.sim.pool.lane(*id)
            );
        }
    }

    /// By credit: the lane may be given one, and what waits in its queue is given out.
    fn may_take(&self, id: LaneId) -> bool {
        self.sim.pool.lane(id).is_some_and(|lane| {
            lane.may_take()
                && lane.standing() != Standing::AtLimit
                && !lane.is_resting()
                && !lane.is_busy()
                && self.sim.pool.wants_queue(lane.balancer())
        })
    }

    /// Whoever was found hung was so by the rules, and suspects were told of in turn and are none at the end.
    fn judged_by_the_rules(&self) {
        let settings = self.sim.pool.settings();
        for note in &self.sim.notes {
            let Note::Hung { worker, lag, finding, .. } = note else { continue };
            let by_choice = matches!(finding, Finding::Blocked | Finding::Unknown);
            assert!(
                !matches!(finding, Finding::Starved | Finding::Traced)
                    && (!by_choice || settings.hang_explicit),
                "{worker}: {note:?}"
            );
            assert!(settings.hang_limit.is_some_and(|limit| *lag >= limit), "{worker}: {note:?}");
            assert!(settings.health_max_unavailable > 0, "{worker}: {note:?}");
        }
        let mut suspects = BTreeSet::new();
        for change in &self.sim.changes {
            match change {
                Change::Suspect { worker, suspect: true } => {
                    assert!(suspects.insert(*worker), "{worker} twice")
                }
                Change::Suspect { worker, suspect: false } => {
                    assert!(suspects.remove(worker), "{worker} was none")
                }
                _ => {}
            }
        }
        assert!(suspects.is_empty(), "still suspects: {suspects:?}");
    }

    /// Of an honest and prompt shell: lanes and workers hold no more than they may, and no connection waits beside a
    /// lane with room.
    fn is_work_conserving(&self) {
        let window = self.sim.pool.settings().window as usize;
        if let Some(max) = self.sim.pool.settings().max_connections {
            for worker in self.sim.pool.workers().iter().map(|worker| worker.id()) {
                let open = self.sim.open_connections(worker);
                assert!(open <= max.into(), "{worker} has {open} connections, and may have {max}");
            }
        }
        for balancer in self.sim.pool.balancers() {
            let overdue = matches!(balancer.state(), BalancerState::Standby { due } if due < self.sim.now);
            assert!(!overdue, "{:?} is not opened again", balancer.id());
            let patience = match self.sim.pool.settings().when_no_worker {
                WhenNoWorker::Hold { refuse_after } => refuse_after,
                WhenNoWorker::Refuse => Some(ms(0)),
            };
            let waited = balancer.forsaken_since().map(|since| self.sim.now.duration_since(since));
            let enough = waited.zip(patience).is_some_and(|(waited, patience)| waited >= patience);
            assert_eq!(balancer.is_refusing(), enough, "{:?} has waited {waited:?}", balancer.id());
        }
        // Of credits there may be more, and they hold nothing.
        for (id, lane) in self.sim.lanes.iter().filter(|(_, lane)| !lane.credit) {
            assert!(lane.queue.len() <= window, "{id:?} holds {:?}", lane.queue);
            let Some(seen) = self.sim.pool.lane(*id) else { panic!("{id:?} was forgotten") };
            assert!(seen.in_flight() >= lane.queue.len() as u64, "{id:?} holds more than is believed");
            let queued =
                if self.sim.kernel[&lane.balancer].sound { self.sim.queued(lane.balancer) } else { 0 };
            let held = self.sim.pool.balancer(lane.balancer).map_or(0, |balancer| balancer.held());
            let may = if lane.one_by_one { 1 } else { window };
            let has = lane.queue.len() + usize::from(lane.away);
            if matches!(seen.standing(), Standing::Ready | Standing::Full) && has < may {
                assert_eq!((queued, held), (0, 0), "connections wait though {id:?} has room");
            }
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nothing_is_lost_whatever_happens(
        settings in any_settings(),
        listening in 0usize..6,
        by_credit: bool,
        acts in prop::collection::vec(dishonest(), 1..150),
    ) {
        let mut run = Run::new(settings, listening, by_credit);
        for act in acts {
            run.act(act);
        }
        run.end(false);
    }

    #[test]
    fn no_connection_waits_beside_a_lane_with_room(
        settings in any_settings(),
        listening in 0usize..6,
        by_credit: bool,
        acts in prop::collection::vec(honest(), 1..150),
    ) {
        let mut run = Run::new(settings, listening, by_credit);
        for act in acts {
            run.act(act);
            run.is_work_conserving();
            run.everybody_is_told();
        }
        if run.sim.done.is_none() {
            run.end(true);
        }
    }
}

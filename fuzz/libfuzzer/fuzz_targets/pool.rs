//! Turns arbitrary bytes into a history of a cluster: workers, clients, commands, failures, answers that come late or
//! twice, and jumps of the clock. The core checks its invariants after every input; the shell here accounts for every
//! connection; each history ends with a stop, a long jump of the clock, and nothing left.

#![no_main]

use clustermon::ids::{BalancerId, ConnId, LaneId, WorkerId};
use clustermon::pool::{Activity, Command, Exit, Finding, Input, Output, Policy, Pool, Settings, Signal, State, WhenNoWorker};
use libfuzzer_sys::fuzz_target;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// The bytes, and then zeros.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn byte(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit.max(1)
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn key<K: Copy, V>(&mut self, map: &BTreeMap<K, V>) -> Option<K> {
        map.keys().nth(self.below(map.len())).copied()
    }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn settings(bytes: &mut Bytes<'_>) -> Settings {
    let hold = |refuse_after| WhenNoWorker::Hold { refuse_after };
    Settings {
        workers: 1 + bytes.below(5) as u32,
        max_starting: 1 + bytes.below(3) as u32,
        boot_slot: ms(bytes.of(&[0, 50, 5_000])),
        start_timeout: ms(bytes.of(&[0, 800, 30_000])),
        ready_by_lane: bytes.of(&[true, false]),
        ready_explicit: bytes.of(&[true, false]),
        ready_without_listening: bytes.of(&[None, Some(ms(700))]),
        respawn: bytes.of(&[None, Some(0), Some(1), Some(3)]),
        exit_codes_ok: bytes.of::<&[i32]>(&[&[], &[0], &[0, 2]]).to_vec(),
        keep_trying: bytes.of(&[true, false]),
        min_uptime: ms(bytes.of(&[0, 10_000])),
        restart_delay: ms(bytes.of(&[0, 100])),
        max_restart_delay: ms(bytes.of(&[0, 30_000])),
        server_restart_delay: ms(bytes.of(&[0, 1_000])),
        stop_timeout: bytes.of(&[None, Some(0), Some(700), Some(10_000)]).map(ms),
        policy: bytes.of(&[Policy::RoundRobin, Policy::LeastConnections, Policy::SourceHash]),
        window: 1 + bytes.below(3) as u32,
        max_connections: bytes.of(&[None, Some(1), Some(2), Some(5)]),
        when_no_worker: bytes.of(&[hold(None), hold(Some(ms(0))), hold(Some(ms(900))), WhenNoWorker::Refuse]),
        lag_limit: bytes.of(&[None, Some(0), Some(200), Some(1_000)]).map(ms),
        hang_limit: bytes.of(&[None, Some(0), Some(1_000), Some(30_000)]).map(ms),
        hang_explicit: bytes.of(&[true, false]),
        health_max_unavailable: bytes.below(3) as u32,
        hang_stop_timeout: ms(bytes.of(&[0, 300, 2_000])),
        look_after: ms(bytes.of(&[0, 20])),
        seed: bytes.byte().into(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On its way back to the core.
    Coming,
    /// The core has it.
    Held,
    Lane(LaneId),
    /// A worker's, or refused.
    Gone,
}

struct Lane {
    worker: WorkerId,
    balancer: BalancerId,
    /// `None` is a void record.
    queue: VecDeque<Option<ConnId>>,
}

struct Shell {
    pool: Pool,
    now: Instant,
    places: BTreeMap<ConnId, Place>,
    lanes: BTreeMap<LaneId, Lane>,
    retired: BTreeSet<LaneId>,
    /// Each listening socket, and whether the core wants connections of it.
    sockets: BTreeMap<BalancerId, bool>,
    answers: VecDeque<Input>,
    told: Vec<Input>,
    prompt: bool,
    polite: bool,
    /// What an examination finds.
    finding: Finding,
    activity: Option<Activity>,
    done: bool,
    ids: u32,
}

impl Shell {
    #[allow(clippy::disallowed_methods, reason = "a virtual clock has to begin at some real instant")]
    fn new(settings: Settings) -> Self {
        Self {
            pool: Pool::new(settings),
            now: Instant::now(),
            places: BTreeMap::new(),
            lanes: BTreeMap::new(),
            retired: BTreeSet::new(),
            sockets: BTreeMap::new(),
            answers: VecDeque::new(),
            told: Vec::new(),
            prompt: true,
            polite: true,
            finding: Finding::Busy,
            activity: None,
            done: false,
            ids: 0,
        }
    }

    fn id(&mut self) -> u32 {
        self.ids += 1;
        self.ids
    }

    /// Reports one fact and carries out what follows.
    fn input(&mut self, input: Input) {
        self.tell(input);
        self.drain();
    }

    fn tell(&mut self, input: Input) {
        match &input {
            Input::Returned { conn, .. } => self.moved(*conn, Place::Coming, Place::Held),
            // A connection or a lane is reported once; an end of the cluster is the history's to choose.
            Input::Accepted { .. } | Input::LaneOpened { .. } | Input::Stop | Input::Kill => {}
            _ => self.told.push(input.clone()),
        }
        self.pool.handle(self.now, input);
    }

    fn answer(&mut self, input: Input) {
        if self.prompt { self.tell(input) } else { self.answers.push_back(input) }
    }

    fn drain(&mut self) {
        for _ in 0..100_000 {
            let Some(output) = self.pool.poll_output() else {
                let held = self.places.values().filter(|place| **place == Place::Held).count();
                assert_eq!(self.pool.held(), held, "the core does not hold what it was given");
                return;
            };
            self.carry_out(output);
        }
        panic!("the core and the shell keep each other busy");
    }

    fn moved(&mut self, conn: ConnId, from: Place, to: Place) {
        assert_eq!(self.places.insert(conn, to), Some(from), "{conn:?} became {to:?}");
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Spawn { worker } => {
                assert!(!self.done, "a process after the end");
                let pid = self.id();
                self.answer(Input::Spawned { worker, pid });
            }
            Output::Dispatch { conn, lane } => {
                assert!(!self.retired.contains(&lane), "{lane:?} is closed");
                let Some(open) = self.lanes.get_mut(&lane) else {
                    // One that a lie made the core believe in.
                    self.moved(conn, Place::Held, Place::Coming);
                    self.answer(Input::LaneClosed { lane });
                    let balancer = BalancerId(0);
                    return self.answer(Input::Returned { conn, balancer, source: conn.0 % 7 });
                };
                open.queue.push_back(Some(conn));
                self.moved(conn, Place::Held, Place::Lane(lane));
            }
            Output::Refuse { conn } => self.moved(conn, Place::Held, Place::Gone),
            Output::Measure { lane } | Output::Watch { lane } => match self.lanes.get(&lane) {
                Some(open) => {
                    let waiting = open.queue.len() as u32;
                    // A watch is answered when the lane is read from, which here is whenever a byte says so.
                    if matches!(output, Output::Measure { .. }) {
                        self.answer(Input::Measured { lane, waiting });
                    }
                }
                None => self.answer(Input::LaneClosed { lane }),
            },
            Output::Look { lane } => {
                let waiting = self.lanes.get(&lane).map(|lane| lane.queue.len() as u32);
                let held = waiting.is_some();
                self.answer(Input::Looked { lane, waiting: waiting.unwrap_or(0), held });
            }
            Output::Count { worker } => {
                let lanes = self.lanes.values().filter(|lane| lane.worker == worker);
                let open = lanes.map(|lane| lane.queue.len() as u64).sum();
                self.answer(Input::OpenConnections { worker, open });
            }
            Output::LookAtBoot { worker } => self.answer(Input::Booting { worker, activity: self.activity }),
            Output::Examine { worker } => {
                let (finding, evidence) = (self.finding, String::new());
                self.answer(Input::Examined { worker, finding, evidence });
            }
            Output::TakeBack { lane } => {
                self.empty(lane);
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    lane.queue.push_back(None);
                }
            }
            Output::Retire { lane } => {
                self.empty(lane);
                self.lanes.remove(&lane);
                self.retired.insert(lane);
            }
            Output::Resume { balancer } => {
                if let Some(wanted) = self.sockets.get_mut(&balancer) {
                    *wanted = true;
                }
            }
            Output::Reopen { balancer } => self.answer(Input::BalancerReopened { balancer }),
            Output::CloseBalancer { balancer } => {
                self.sockets.remove(&balancer);
            }
            Output::Signal { worker, signal } => match signal {
                Signal::Kill | Signal::Abort => self.answer(Input::Exited { worker, exit: Exit::Code(1) }),
                Signal::Stop if self.polite => self.answer(Input::Exited { worker, exit: Exit::Code(0) }),
                Signal::Stop | Signal::HangUp | Signal::Debug | Signal::Number(_) => {}
            },
            Output::Changed(_) | Output::Note(_) => {}
            Output::Done(_) => {
                assert!(!self.done, "the end is told twice");
                self.done = true;
            }
        }
    }

    /// What waits in the lane comes back.
    fn empty(&mut self, lane: LaneId) {
        let Some(open) = self.lanes.get_mut(&lane) else { return };
        let balancer = open.balancer;
        for conn in std::mem::take(&mut open.queue).into_iter().flatten() {
            self.moved(conn, Place::Lane(lane), Place::Coming);
            self.answer(Input::Returned { conn, balancer, source: conn.0 % 7 });
        }
    }

    fn timeout(&mut self) {
        self.pool.handle_timeout(self.now);
        assert!(
            self.pool.next_deadline().is_none_or(|at| at > self.now),
            "a deadline that has come was kept"
        );
        self.drain();
    }

    /// Lets the time pass, with the deadlines on the way met, as far as there are not too many.
    fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        for _ in 0..50 {
            let Some(at) = self.pool.next_deadline().filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            self.timeout();
        }
        self.now = end;
        self.timeout();
    }

    /// A worker, mostly one that exists.
    fn worker(&self, bytes: &mut Bytes<'_>) -> WorkerId {
        let n = bytes.below(32);
        match self.pool.workers().get(n % 8) {
            Some(worker) if n < 28 => worker.id(),
            _ => WorkerId { slot: n as u32 % 8, incarnation: n as u32 % 3 },
        }
    }

    /// One thing that happens. `None` when there is nothing it could happen to.
    fn act(&mut self, what: u8, bytes: &mut Bytes<'_>) -> Option<()> {
        match what % 41 {
            0..5 => {
                let balancer = bytes.key(&self.sockets)?;
                let may = self.pool.may_accept(balancer);
                let wanted = self.sockets.get_mut(&balancer)?;
                *wanted &= may;
                // A shell accepts where it may; where it should not, it may have done so already.
                if !*wanted && bytes.below(8) > 0 {
                    return None;
                }
                let conn = ConnId(self.id().into());
                self.places.insert(conn, Place::Held);
                self.input(Input::Accepted { conn, balancer, source: conn.0 % 7 });
            }
            5..9 => {
                let lane = bytes.key(&self.lanes)?;
                let record = self.lanes.get_mut(&lane)?.queue.pop_front()?;
                if let Some(conn) = record {
                    self.moved(conn, Place::Lane(lane), Place::Gone);
                }
                let waiting = self.lanes.get(&lane)?.queue.len() as u32;
                self.input(Input::Measured { lane, waiting });
            }
            9 => {
                let balancer = BalancerId(self.id());
                self.sockets.insert(balancer, false);
                self.input(Input::BalancerOpened { balancer });
            }
            10..13 => {
                let (worker, balancer) = (self.worker(bytes), bytes.key(&self.sockets)?);
                let lane = LaneId(self.id().into());
                self.lanes.insert(lane, Lane { worker, balancer, queue: VecDeque::new() });
                self.input(Input::LaneOpened { lane, worker, balancer });
            }
            13 => self.input(Input::LaneClosed { lane: bytes.key(&self.lanes)? }),
            14 => {
                let (lane, waiting) = (bytes.key(&self.lanes)?, bytes.byte() as u32 % 4);
                self.input(Input::Looked { lane, waiting, held: waiting > 0 });
            }
            15 => {
                let exit = match bytes.below(4) {
                    3 => Exit::Signal { signal: 9, core_dumped: false, oom_killed: true },
                    code => Exit::Code(code as i32),
                };
                let worker = self.worker(bytes);
                self.input(Input::Exited { worker, exit });
            }
            16 => {
                let worker = self.worker(bytes);
                self.input(Input::SpawnFailed { worker, error: String::new() });
            }
            17..21 => {
                let command = bytes.of(&[
                    Command::Start,
                    Command::Stop,
                    Command::Restart,
                    Command::HangUp,
                    Command::ForceStop,
                    Command::Dump,
                    Command::Debug,
                    Command::Signal(10),
                    Command::Cordon,
                    Command::Uncordon,
                ]);
                self.input(Input::Command { slot: bytes.below(8) as u32, command });
            }
            21 => self.input(Input::Scale { workers: bytes.below(7) as u32 }),
            22 => {
                let balancer = bytes.key(&self.sockets)?;
                self.input(Input::BalancerFailed { balancer, error: String::new() });
            }
            23 => self.input(Input::BalancerReopened { balancer: bytes.key(&self.sockets)? }),
            24 => {
                let (worker, open) = (self.worker(bytes), bytes.byte() as u64 % 8);
                self.input(Input::OpenConnections { worker, open });
            }
            25 => self.prompt = !self.prompt,
            26 => {
                let answer = self.answers.remove(bytes.below(self.answers.len()))?;
                self.input(answer);
            }
            27 => {
                let again = self.told.get(bytes.below(self.told.len()))?.clone();
                self.input(again);
            }
            28 => self.polite = !self.polite,
            29 => self.advance(ms(u64::from(bytes.byte()) * 10)),
            30 => {
                // A supervisor that did not get to run.
                self.now += ms(1 << bytes.below(32));
                self.timeout();
            }
            31..35 => {
                let (worker, lag) = (self.worker(bytes), ms(1 << bytes.below(20)));
                self.input(Input::Lag { worker, lag });
            }
            35 => self.input(Input::Late),
            37 => {
                let worker = self.worker(bytes);
                self.input(Input::Ready { worker });
            }
            38 => {
                let worker = self.worker(bytes);
                self.input(Input::Resigned { worker });
            }
            39 => {
                let (worker, by) = (self.worker(bytes), ms(u64::from(bytes.byte()) * 10));
                self.input(Input::Extended { worker, by });
            }
            36 => {
                let spent = ms(bytes.of(&[10, 20, 5_000]));
                let activity = Activity { spent, running: spent, asleep: bytes.of(&[true, false]) };
                self.activity = bytes.of(&[None, Some(activity)]);
                self.finding = bytes.of(&[
                    Finding::Busy,
                    Finding::Stopped,
                    Finding::Lock,
                    Finding::Blocked,
                    Finding::Traced,
                    Finding::Unknown,
                ]);
                let leaving = self.pool.leaving();
                let worker = leaving.get(bytes.below(leaving.len()))?.id();
                self.input(Input::Exited { worker, exit: Exit::Code(0) });
            }
            _ => match bytes.below(8) {
                0 => self.input(Input::Stop),
                1 => self.input(Input::Kill),
                _ => self.input(Input::Start),
            },
        }
        Some(())
    }

    /// Stop, a long jump of the clock, and nothing is left.
    fn end(mut self) {
        self.prompt = true;
        while let Some(answer) = self.answers.pop_front() {
            self.input(answer);
        }
        self.input(Input::Stop);
        self.now += YEAR;
        self.timeout();
        if !self.done {
            let debugged = |state| matches!(state, State::Stopping(stop) if stop.debugging);
            assert!(
                self.pool.settings().stop_timeout.is_none()
                    || self.pool.workers().iter().any(|worker| debugged(worker.state())),
                "it takes a kill only without a time to stop, or when somebody debugs"
            );
            self.input(Input::Kill);
        }
        assert!(self.done, "the cluster did not come to rest: {:?}", self.pool);
        assert_eq!(self.pool.next_deadline(), None, "something is still waited for");
        assert_eq!(self.pool.count_active_workers(), 0);
        assert!(self.pool.leaving().is_empty(), "a process was forgotten");
        assert!(self.sockets.is_empty(), "a listening socket was forgotten");
        assert!(self.lanes.is_empty(), "a lane was forgotten");
        for (conn, place) in &self.places {
            assert_eq!(*place, Place::Gone, "{conn:?} was lost");
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let mut shell = Shell::new(settings(&mut bytes));
    if bytes.below(8) > 0 {
        shell.input(Input::Start);
    }
    while let Some(what) = bytes.next() {
        shell.act(what, &mut bytes);
    }
    shell.end();
});

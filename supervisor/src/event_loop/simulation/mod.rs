//! The shell, with the core inside, under a simulated operating system: the time is virtual, processes are simulated, and faults strike as a
//! seed says. The event loop, the lanes, their pages and the library's half of the protocol are the real ones; two runs of a seed are the
//! same to the last step.
//!
//! Outside of it are signals to the supervisor and what only happens where it owns its process (heirs, orphans), processes beside the first
//! one of a worker, the control socket, the service manager, kernel dispatch, seccomp filters, connections that are counted, moved or tried, unix sockets and the second
//! address of a program, and reading /proc itself.

mod agenda;
mod checks;
mod clients;
mod dice;
mod history;
mod lane;
mod library;
mod operator;
mod process;
mod setting;
mod system;

use crate::ids::WorkerId;
use crate::io::drain::idle_detector::{self, Report, Watched};
use crate::io::lanes::lane_owner_probe::{Answer, Asked, Found, Question};
use crate::io::sockets::unmanaged_listener::Look;
use crate::link::{self, Board};
use agenda::{Agenda, Deed};
use clients::Connection;
use crossbeam_channel::{Receiver, Sender};
use dice::Dice;
use mio::Waker;
use nix::sys::socket::UnixAddr;
use operator::Given;
use process::Process;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Goes through the history of this seed. Panics where something is not as it must be.
pub(crate) fn run_seed(seed: u64) {
    history::run(dice::Dice::seeded(seed));
}

/// Goes through the history that these bytes choose.
pub(crate) fn run_bytes(bytes: &[u8]) {
    history::run(dice::Dice::of(bytes));
}

/// How likely what is.
#[derive(Clone, Copy, Debug)]
struct Faults {
    /// One in so many starts fails.
    spawn: u64,
    /// One in so many records finds no room in the kernel.
    record: u64,
    /// One in so many looks at the table of descriptors finds it full.
    descriptors: u64,
    /// One in so many words is said twice.
    twice: u64,
    /// One in so many waits of the supervisor is longer than it was to be.
    late: u64,
    /// One in so many processes is not well made.
    odd: u64,
    /// Something goes wrong about this often.
    trouble: Duration,
}

/// What is asked off the loop.
#[derive(Debug)]
struct OffLoop {
    questions: Receiver<Asked>,
    answers: Sender<Answer>,
    unmanaged: Sender<(WorkerId, Look)>,
    commands: Receiver<idle_detector::Command>,
    reports: Sender<(WorkerId, Report)>,
    waker: Arc<Waker>,
}

/// All that is outside the supervisor: the time, the processes that it has started, the clients, and what is to happen to them. It moves only
/// while the supervisor waits.
#[derive(Debug)]
struct World {
    now: Instant,
    begun: Instant,
    dice: Dice,
    /// `None` once all is well again.
    faults: Option<Faults>,
    agenda: Agenda,
    processes: BTreeMap<u32, Process>,
    next_pid: u32,
    connections: Vec<Connection>,
    /// Those in the queue of the listening socket.
    queue: VecDeque<usize>,
    /// Those that the supervisor has accepted, by the inodes of their sockets.
    held: HashMap<u64, usize>,
    /// Where clients connect to.
    address: Option<UnixAddr>,
    /// Processes whose waits watch the listening socket: the kernel wakes the first that sleeps.
    watchers: VecDeque<u32>,
    clients_come: bool,
    off_loop: Option<OffLoop>,
    watched: BTreeMap<WorkerId, Watched>,
    unanswered: Vec<Asked>,
    report_is_due: bool,
    orders: Sender<link::Order>,
    board: Arc<Board>,
    given: Vec<Given>,
    /// Moments at which the supervisor ran, one after another without the time moving on.
    turns_at_once: u32,
    /// Records that were to be sent in this turn.
    sent_in_turn: u32,
    /// The supervisor waits for what never comes.
    is_asleep: bool,
    /// No wait goes beyond this.
    limit: Option<Instant>,
}

impl World {
    fn new(
        mut dice: Dice,
        now: Instant,
        orders: Sender<link::Order>,
        board: Arc<Board>,
        has_faults: bool,
    ) -> Self {
        let rarely = |dice: &mut Dice| dice.of_these(&[20, 100, 1_000, u64::MAX]);
        let faults = Faults {
            spawn: dice.of_these(&[6, 30, u64::MAX]),
            record: rarely(&mut dice),
            descriptors: rarely(&mut dice),
            twice: rarely(&mut dice),
            late: rarely(&mut dice),
            odd: dice.of_these(&[4, 12, u64::MAX]),
            trouble: Duration::from_millis(dice.of_these(&[700, 3_000, 20_000])),
        };
        Self {
            now,
            begun: now,
            dice,
            faults: has_faults.then_some(faults),
            agenda: Agenda::default(),
            processes: BTreeMap::new(),
            // Beyond every number that a real process can have.
            next_pid: 0x4000_0000,
            connections: Vec::new(),
            queue: VecDeque::new(),
            held: HashMap::new(),
            address: None,
            watchers: VecDeque::new(),
            clients_come: true,
            off_loop: None,
            watched: BTreeMap::new(),
            unanswered: Vec::new(),
            report_is_due: false,
            orders,
            board,
            given: Vec::new(),
            turns_at_once: 0,
            sent_in_turn: 0,
            is_asleep: false,
            limit: None,
        }
    }

    /// A fault of this kind strikes now.
    fn strikes(&mut self, kind: fn(&Faults) -> u64) -> bool {
        let Some(faults) = self.faults else { return false };
        let times = kind(&faults);
        times != u64::MAX && self.dice.once_in(times)
    }

    fn after(&mut self, pause: Duration, deed: Deed) {
        self.agenda.put(self.now + pause, deed);
    }

    /// The clock of the pulse pages.
    fn monotonic(&self) -> u64 {
        // A page takes a time from the future for garbage, and none of before it began.
        1_000_000_000 + self.now.saturating_duration_since(self.begun).as_nanos() as u64
    }

    /// Does the next thing, at its time.
    fn go_on(&mut self) {
        let Some((at, deed)) = self.agenda.take() else { return };
        self.pass_to(at);
        log::trace!("{:?}: {deed:?}", self.now.saturating_duration_since(self.begun));
        match deed {
            Deed::Boot(pid) | Deed::AskAgain(pid) => self.ask_next(pid),
            Deed::Run(pid) => self.run(pid),
            Deed::Return(pid) => self.enter_wait(pid),
            Deed::Answer(pid, connection) => self.answer(pid, connection),
            Deed::End(pid, signal, code) => self.end(pid, signal, code),
            Deed::Connect => self.clients(),
            Deed::Trouble => self.trouble(),
            Deed::Operate(order) => self.operate(order),
            Deed::Report => self.report(),
        }
    }

    fn pass_to(&mut self, at: Instant) {
        if at > self.now {
            self.now = at;
            self.turns_at_once = 0;
        }
    }

    /// Looks at what the supervisor has done in its turn: who has been told something, and what is asked off the loop.
    fn see(&mut self) {
        let pids: Vec<u32> = self.processes.keys().copied().collect();
        for pid in pids {
            self.hear_reply(pid);
            self.wake_if_told(pid);
        }
        self.take_questions();
    }

    fn take_questions(&mut self) {
        let Some(off_loop) = &self.off_loop else { return };
        let mut is_any = false;
        while let Ok(asked) = off_loop.questions.try_recv() {
            self.unanswered.push(asked);
            is_any = true;
        }
        while let Ok(command) = off_loop.commands.try_recv() {
            match command {
                idle_detector::Command::Watch(watched) => {
                    self.watched.insert(watched.worker, *watched);
                    is_any = true;
                }
                idle_detector::Command::Update(..) => {}
                idle_detector::Command::Forget(worker) => drop(self.watched.remove(&worker)),
            }
        }
        if is_any && !self.report_is_due {
            self.report_is_due = true;
            let pause = self.dice.micros(50, 5_000);
            self.after(pause, Deed::Report);
        }
    }

    /// Answers what was asked off the loop.
    fn report(&mut self) {
        self.report_is_due = false;
        for asked in std::mem::take(&mut self.unanswered) {
            match asked {
                Asked::Held(Question { lanes, idle, .. }) => {
                    for wanted in lanes {
                        let held = self.processes.values().any(|process| process.holds(wanted.inode));
                        let found = if held { Found::At(wanted.seen_at) } else { Found::Nobody };
                        let answer = Answer { lane: wanted.lane, found, idle };
                        self.tell(|off| off.answers.send(answer).is_ok());
                    }
                }
                Asked::Unmanaged(worker, _) => {
                    self.tell(|off| off.unmanaged.send((worker, Look::Nobody)).is_ok());
                }
            }
        }
        let mut quiet = Vec::new();
        for (worker, watched) in &self.watched {
            let busy = self.processes.get(watched.pids.first().unwrap_or(&0)).map_or(0, Process::busy);
            let waits =
                |lane: &OwnedFd| crate::io::kernel::sockopt::unreceived(lane.as_fd()).unwrap_or(0) > 0;
            let lanes = watched.lanes.iter().filter(|lane| waits(lane)).count();
            quiet.push((*worker, busy as u32, busy as u32 + lanes as u32));
        }
        for (worker, connections, busy) in quiet {
            let report = Report { connections, busy, quiet: busy == 0, blind: None };
            if report.quiet {
                self.watched.remove(&worker);
            }
            self.tell(|off| off.reports.send((worker, report)).is_ok());
        }
        if !self.watched.is_empty() {
            self.report_is_due = true;
            self.after(Duration::from_millis(20), Deed::Report);
        }
    }

    /// Has the loop look at an answer.
    fn tell(&mut self, say: impl FnOnce(&OffLoop) -> bool) {
        if let Some(off_loop) = self.off_loop.as_ref().filter(|off_loop| say(off_loop)) {
            // The poll that it belongs to lives as long as the history.
            let _ = off_loop.waker.wake();
        }
    }
}

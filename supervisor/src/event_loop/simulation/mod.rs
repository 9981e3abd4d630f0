//! The shell, with the core inside, under a simulated operating system: the time is virtual, processes are simulated, and faults strike as a
//! seed says. The event loop, the lanes, their pages and the library's half of the protocol are the real ones; two runs of a seed are the
//! same to the last step.
//!
//! Outside of it are signals to the supervisor and what only happens where it owns its process (survivors, orphans), processes beside the first
//! one of a worker, the control socket, the service manager, kernel dispatch, seccomp filters, connections that are counted, moved or tried, unix sockets and the second
//! address of a program, and reading /proc itself.

mod agenda;
mod checks;
mod clients;
mod dice;
mod faults;
mod history;
mod off_loop;
mod operator;
mod processes;
mod setting;
mod system;
mod time;

use crate::ids::WorkerId;
use crate::io::drain::idle_detector::Watched;
use crate::io::lanes::lane_owner_probe::Asked;
use crate::link::{self, Board};
use agenda::Agenda;
use clients::Connection;
use crossbeam_channel::Sender;
use dice::Dice;
use faults::Faults;
use nix::sys::socket::UnixAddr;
use off_loop::OffLoop;
use off_loop::hooks::Hooks;
use operator::Given;
use processes::process::Process;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// Goes through the history of this seed. Panics where something is not as it must be.
pub(crate) fn run_seed(seed: u64) {
    history::run(dice::Dice::seeded(seed));
}

/// Goes through the history that these bytes choose.
pub(crate) fn run_bytes(bytes: &[u8]) {
    history::run(dice::Dice::of(bytes));
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
    hooks: Option<Hooks>,
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
        let faults = Faults::of(&mut dice);
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
            hooks: None,
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
}

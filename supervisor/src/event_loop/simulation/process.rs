//! A process of a worker in a history: how it starts, listens, serves and ends, well or not. What the preloaded library does in it stands
//! in `library`.

use super::World;
use super::agenda::Deed;
use super::clients::Fate;
use super::dice::Dice;
use super::lane::Lane;
use crate::io::kernel::memory::Memory;
use crate::io::kernel::message;
use crate::io::launch::process_calls::Ended;
use clustermon_protocol::VERSION;
use clustermon_protocol::message::{Hello, MAX_FRAME, Place, Reply, Request, Token};
use clustermon_protocol::pulse::{Page, SIZE};
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, bind, connect, socket};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// The number under which it has its lane.
pub(super) const LANE_FD: i32 = 3;
/// The epoll set by which its thread waits.
pub(super) const SET: u32 = 7;

/// What it is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Temper {
    /// From one step of its start to the next.
    pub(super) step: Duration,
    /// It ends in its start.
    pub(super) dies_young: bool,
    /// It never listens.
    pub(super) is_idle: bool,
    /// What one request takes, and whether the thread is away from its wait for it.
    pub(super) request: Duration,
    pub(super) is_blocking: bool,
    /// Connections that it takes each time that it is woken.
    pub(super) greed: u32,
    /// From the moment that its thread is woken to its processor.
    pub(super) latency: Duration,
    pub(super) ignores_stop: bool,
    /// It writes what it likes to its pages.
    pub(super) scribbles: bool,
    /// It does not show how it is told of its lane.
    pub(super) is_opaque: bool,
}

impl Temper {
    fn of(dice: &mut Dice, is_odd: bool) -> Self {
        let odd = |dice: &mut Dice, times| is_odd && dice.once_in(times);
        Self {
            step: dice.micros(100, 60_000),
            dies_young: odd(dice, 4),
            is_idle: odd(dice, 8),
            request: dice.micros(20, 20_000),
            is_blocking: dice.once_in(2),
            greed: dice.of_these(&[1, 1, 2, 64]),
            latency: dice.micros(5, 900),
            ignores_stop: odd(dice, 4),
            scribbles: odd(dice, 4),
            is_opaque: dice.once_in(5),
        }
    }
}

/// What its thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thread {
    /// It has not come to its wait yet.
    Boots,
    Waits,
    /// It was woken and has no processor yet. By the listening socket, if it was that.
    Woken {
        by_listener: bool,
    },
    /// It works, or hangs.
    Runs,
}

/// What it asks the supervisor for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    Pulse,
    Listen,
    Listener,
    Page,
}

/// One process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    token: Token,
    supervisor: UnixAddr,
    /// Readable once it has ended.
    pub(super) pidfd: OwnedFd,
    pub(super) ended: Option<Ended>,
    pub(super) is_reaped: bool,
    pub(super) temper: Temper,
    pub(super) thread: Thread,
    pub(super) hangs: bool,
    ran: Duration,
    away_since: Option<Instant>,
    /// Told to stop, and will.
    pub(super) is_stopping: bool,
    next: Option<Asks>,
    asked: Option<(OwnedFd, Asks)>,
    pub(super) lane: Option<Lane>,
    pub(super) pulse: Option<Memory>,
    /// Connections that it has, and has not answered.
    pub(super) hands: Vec<usize>,
    /// The sockets of these.
    pub(super) sockets: Vec<OwnedFd>,
}

impl Process {
    pub(super) fn is_alive(&self) -> bool {
        self.ended.is_none()
    }

    pub(super) fn holds(&self, inode: u64) -> bool {
        self.is_alive() && self.lane.as_ref().is_some_and(|lane| lane.inode == inode)
    }

    /// Its thread has left its wait.
    pub(super) fn go_away(&mut self, now: Instant) {
        self.thread = Thread::Runs;
        self.away_since.get_or_insert(now);
    }

    /// It is in its wait again.
    pub(super) fn come_back(&mut self, now: Instant) {
        self.ran = self.ran_until(now);
        self.away_since = None;
        self.thread = Thread::Waits;
    }

    /// For how long its thread has run.
    pub(super) fn ran_until(&self, now: Instant) -> Duration {
        self.ran + self.away_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// How many connections it has that are at work.
    pub(super) fn busy(&self) -> usize {
        self.hands.len()
    }

    pub(super) fn page(&self) -> Option<&Page> {
        // SAFETY: a page is made of atomics and numbers that nobody reads: any bytes are valid.
        unsafe { self.pulse.as_ref()?.at(0) }
    }
}

impl World {
    /// Starts one.
    pub(super) fn start(&mut self, token: Token, supervisor: UnixAddr, pidfd: OwnedFd) -> u32 {
        let pid = self.next_pid;
        self.next_pid += 1;
        let is_odd = self.strikes(|faults| faults.odd);
        let temper = Temper::of(&mut self.dice, is_odd);
        let process = Process {
            pid,
            token,
            supervisor,
            pidfd,
            ended: None,
            is_reaped: false,
            temper,
            thread: Thread::Boots,
            hangs: false,
            ran: Duration::ZERO,
            away_since: None,
            is_stopping: false,
            next: Some(Asks::Pulse),
            asked: None,
            lane: None,
            pulse: None,
            hands: Vec::new(),
            sockets: Vec::new(),
        };
        self.processes.insert(pid, process);
        self.after(temper.step, Deed::Boot(pid));
        pid
    }

    /// Asks the supervisor for the next thing that it needs.
    pub(super) fn ask_next(&mut self, pid: u32) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.is_alive()) else { return };
        let Some(asks) = process.next.filter(|_| process.asked.is_none() && !process.hangs) else { return };
        if process.temper.dies_young && asks == Asks::Listen {
            return self.end(pid, None, 1);
        }
        if process.temper.is_idle && asks == Asks::Listen {
            return;
        }
        let lane = process.lane.as_ref().map_or(0, |lane| lane.id);
        let request = match asks {
            Asks::Pulse => Request::Attach,
            Asks::Listen => Request::Listen { fd: LANE_FD, backlog: 128, place: Place::default() },
            Asks::Listener => Request::Listener { lane },
            Asks::Page => Request::LanePage { lane },
        };
        let hello = Hello { version: VERSION, token: process.token, pid };
        let mut frame = [0; MAX_FRAME];
        let len = request.encode(&hello, &mut frame).expect("a request fits into a frame");
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let link = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).expect("a socket");
        let is_connected = connect(link.as_raw_fd(), &process.supervisor).is_ok();
        let bound = (asks == Asks::Listen).then(|| {
            let bound = socket(AddressFamily::Unix, SockType::Stream, flags, None).expect("a socket");
            let address = UnixAddr::new_unnamed();
            bind(bound.as_raw_fd(), &address).expect("a name of the kernel's choice");
            bound
        });
        let beside = bound.as_ref().map(AsFd::as_fd);
        if !is_connected || message::send(link.as_fd(), &frame[..len], beside).is_err() {
            return self.after(Duration::from_millis(20), Deed::AskAgain(pid));
        }
        process.asked = Some((link, asks));
    }

    /// The supervisor may have answered it.
    pub(super) fn hear_reply(&mut self, pid: u32) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let Some((link, asks)) = &process.asked else { return };
        let mut frame = [0; MAX_FRAME];
        let incoming = match message::receive(link.as_fd(), &mut frame) {
            Ok(incoming) => incoming,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
            Err(_) => message::Incoming { len: 0, fd: None, truncated: false, sender: None },
        };
        let asks = *asks;
        process.asked = None;
        process.next = None;
        let reply = Reply::decode(&frame[..incoming.len]);
        let fd = incoming.fd.map(crate::io::kernel::foreign::Foreign::into_owned);
        let step = process.temper.step;
        let mut again = |process: &mut Process, next, pause| {
            process.next = Some(next);
            self.agenda.put(self.now + pause, Deed::AskAgain(pid));
        };
        match (asks, reply, fd) {
            (Asks::Pulse, reply, fd) => {
                if let (Some(Reply::Page), Some(fd)) = (reply, fd) {
                    process.pulse = Memory::map(fd, NonZeroUsize::new(SIZE).expect("a size")).ok();
                    if let Some(page) = process.page() {
                        page.begin(pid);
                    }
                }
                again(process, Asks::Listen, step);
            }
            (Asks::Listen, Some(Reply::Lane { lane }), Some(fd)) => {
                process.lane = Some(Lane::new(fd, lane));
                again(process, Asks::Listener, Duration::from_micros(30));
            }
            (Asks::Listen, _, _) => again(process, Asks::Listen, Duration::from_millis(200)),
            (Asks::Listener, Some(Reply::Listener), Some(fd)) => {
                let Some(lane) = &mut process.lane else { return };
                let has_page = lane.has_page();
                lane.listener = Some(fd);
                if has_page {
                    self.run_or_wait(pid);
                } else {
                    again(process, Asks::Page, Duration::from_micros(20));
                }
            }
            (Asks::Listener, Some(Reply::Errno(libc::EAGAIN)), _) => {
                let is_first = process.thread == Thread::Boots;
                if process.lane.as_ref().is_some_and(Lane::has_page) {
                    again(process, Asks::Listener, Duration::from_millis(5));
                } else {
                    again(process, Asks::Page, Duration::from_micros(20));
                }
                if is_first && process.lane.as_ref().is_some_and(Lane::has_page) {
                    self.run_or_wait(pid);
                }
            }
            // Connections are handed over.
            (Asks::Listener, _, _) => {
                if let Some(lane) = &mut process.lane
                    && lane.has_page()
                {
                    lane.say_that_it_takes_no_credit();
                }
                self.run_or_wait(pid);
            }
            (Asks::Page, reply, fd) => {
                if let (Some(Reply::Page), Some(fd), Some(lane)) = (reply, fd, &mut process.lane) {
                    lane.begin(fd);
                    if lane.listener.is_none() {
                        again(process, Asks::Listener, Duration::from_millis(5));
                    }
                }
                self.run_or_wait(pid);
            }
        }
    }

    /// It asks once more for the listening socket.
    pub(super) fn ask_for_listener(&mut self, pid: u32) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        if process.next.is_none() && process.asked.is_none() {
            process.next = Some(Asks::Listener);
            self.after(Duration::from_micros(50), Deed::AskAgain(pid));
        }
    }

    /// Its start is over: the thread comes to its wait.
    fn run_or_wait(&mut self, pid: u32) {
        if self.processes.get(&pid).is_some_and(|process| process.thread == Thread::Boots) {
            self.enter_wait(pid);
        }
    }

    /// A signal reaches it.
    pub(super) fn signal(&mut self, pid: u32, signal: Signal) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.is_alive()) else { return };
        match signal {
            Signal::SIGKILL => {
                let pause = self.dice.micros(0, 3_000);
                self.after(pause, Deed::End(pid, Some(signal), 0));
            }
            Signal::SIGCONT | Signal::SIGHUP | Signal::SIGUSR1 | Signal::SIGUSR2 => {}
            _ if process.temper.ignores_stop || process.hangs => {}
            _ => {
                process.is_stopping = true;
                self.leave(pid);
            }
        }
    }

    /// It closes its listener, and ends when it has answered what it has.
    fn leave(&mut self, pid: u32) {
        self.stop_watching(pid, false);
        let Some(process) = self.processes.get_mut(&pid) else { return };
        (process.lane, process.next, process.asked) = (None, None, None);
        let pause = self.dice.micros(100, 20_000);
        if process.hands.is_empty() {
            self.after(pause, Deed::End(pid, None, 0));
        }
    }

    /// It has answered a connection.
    pub(super) fn answer(&mut self, pid: u32, connection: usize) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.is_alive()) else { return };
        if process.hangs {
            return;
        }
        if let Some(place) = process.hands.iter().position(|held| *held == connection) {
            process.hands.swap_remove(place);
            drop(process.sockets.swap_remove(place));
        }
        let is_over = process.is_stopping && process.hands.is_empty();
        self.become_of(connection, Fate::Answered);
        if is_over {
            self.after(Duration::from_micros(50), Deed::End(pid, None, 0));
        }
    }

    /// It ends; the kernel closes what it has.
    pub(super) fn end(&mut self, pid: u32, signal: Option<Signal>, code: i32) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.is_alive()) else { return };
        process.ended = Some(match signal {
            Some(signal) => Ended::Signal { signal, core_dumped: false },
            None => Ended::Code(code),
        });
        process.lane = None;
        process.pulse = None;
        process.asked = None;
        process.sockets.clear();
        let hands = std::mem::take(&mut process.hands);
        let one = 1u64;
        // SAFETY: an eventfd takes eight bytes, which are there.
        unsafe { libc::write(process.pidfd.as_raw_fd(), (&raw const one).cast(), 8) };
        for connection in hands {
            self.become_of(connection, Fate::Orphaned);
        }
        // Whom the kernel had woken for a connection that it did not take: nobody else is woken for that one.
        self.watchers.retain(|watcher| *watcher != pid);
    }

    /// Something goes wrong with one of the processes, and when something will next.
    pub(super) fn trouble(&mut self) {
        let Some(faults) = self.faults else { return };
        let pids: Vec<u32> =
            self.processes.values().filter(|process| process.is_alive()).map(|process| process.pid).collect();
        if !pids.is_empty() {
            let pid = self.dice.of_these(&pids);
            match self.dice.below(5) {
                0 | 1 => self.end(pid, Some(Signal::SIGSEGV), 0),
                2 => self.end(pid, None, self.faults.map_or(0, |_| 3)),
                3 => self.hang(pid),
                _ => self.slow_down(pid),
            }
        }
        let pause = faults.trouble.as_micros() as u64;
        let pause = self.dice.micros(pause / 2, pause * 2);
        self.after(pause, Deed::Trouble);
    }

    /// Its thread does not come back.
    fn hang(&mut self, pid: u32) {
        if let Some(process) = self.processes.get_mut(&pid).filter(|process| process.thread != Thread::Boots)
        {
            process.hangs = true;
        }
    }

    /// It takes longer for everything from now on.
    fn slow_down(&mut self, pid: u32) {
        let request = self.dice.millis(20, 900);
        if let Some(process) = self.processes.get_mut(&pid) {
            process.temper.request = request;
            process.temper.is_blocking = true;
        }
    }

    /// All is well from now on: nothing goes wrong any more, and what did is over.
    pub(super) fn be_well(&mut self) {
        self.faults = None;
        let mut odd = Vec::new();
        for process in self.processes.values_mut().filter(|process| process.is_alive()) {
            process.temper.request = process.temper.request.min(Duration::from_millis(5));
            let temper = process.temper;
            if process.hangs || temper.ignores_stop || temper.scribbles || temper.is_idle {
                odd.push(process.pid);
            }
        }
        for pid in odd {
            self.end(pid, Some(Signal::SIGKILL), 0);
        }
    }
}

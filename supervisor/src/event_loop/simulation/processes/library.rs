//! What the preloaded library does in a process of a history when the program accepts: it takes by credits as the protocol's own `Turn` says. The
//! lanes, pages and sockets are real ones.

use super::super::World;
use super::super::agenda::Deed;
use super::super::clients::Fate;
use super::lane::{Lane, Phase, Watch};
use super::process::{Process, Thread};
use super::waiting::{key, leave_wait};
use clustermon_protocol::credit::{Came, Do, Received, Turn};
use clustermon_protocol::record::{Record, Upward};
use nix::sys::socket::{SockFlag, accept4};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// What an accept came to.
enum Accepted {
    Connection(usize, OwnedFd),
    Nothing,
}

impl World {
    /// The program calls accept() once.
    fn accept(&mut self, pid: u32) -> Accepted {
        let mut turn = Turn::default();
        loop {
            let Some(lane) = self.processes.get_mut(&pid).and_then(|process| process.lane.as_mut()) else {
                return Accepted::Nothing;
            };
            let Some(page) = lane.page() else {
                match lane.receive() {
                    Some((Record::Connection { .. }, Some(fd))) => return self.received(pid, fd),
                    Some(_) => continue,
                    None => return Accepted::Nothing,
                }
            };
            match turn.next(page, || pid) {
                Do::Receive => match lane.receive() {
                    None => turn.received(Received::Nothing),
                    Some((Record::Connection { .. }, fd)) => {
                        page.count_received();
                        match fd {
                            Some(fd) => return self.received(pid, fd),
                            None => turn.received(Received::Void),
                        }
                    }
                    Some((Record::Single { .. }, _)) if lane.listener.is_none() => {
                        lane.say(Upward::NoCredit);
                        turn.received(Received::Void);
                    }
                    Some((Record::Single { series, .. }, _)) => turn.received(Received::Single { series }),
                    Some((Record::Open { generation }, _)) => turn.received(Received::Open(generation)),
                    Some((Record::Void, _)) => turn.received(Received::Void),
                },
                Do::Accept { open } => {
                    let (came, found) = self.accept_shared(pid, open);
                    turn.accepted(came);
                    if let Some((connection, fd)) = found {
                        self.finish(pid, turn);
                        return Accepted::Connection(connection, fd);
                    }
                }
                Do::Linger { generation } => {
                    let stays = lane.stays(generation);
                    turn.stays(stays);
                }
                Do::Watch { generation } => {
                    let watches = lane.watches(generation);
                    turn.watches(watches);
                    if watches {
                        self.watchers.push_back(pid);
                    }
                }
                Do::Ring => self.say(pid, Upward::Ring),
                Do::Exhausted => self.say(pid, Upward::Exhausted(libc::EMFILE as u8)),
                Do::Return(_) => return Accepted::Nothing,
            }
        }
    }

    /// A connection was accepted: the rest of that call.
    fn finish(&mut self, pid: u32, mut turn: Turn) {
        loop {
            let lane = self.processes.get(&pid).and_then(|process| process.lane.as_ref());
            let Some(page) = lane.and_then(Lane::page) else { return };
            match turn.next(page, || pid) {
                Do::Ring => self.say(pid, Upward::Ring),
                Do::Return(_) => return,
                other => panic!("after an accept comes {other:?}"),
            }
        }
    }

    /// Sends word, perhaps twice.
    pub(super) fn say(&mut self, pid: u32, word: Upward) {
        let times = if self.strikes(|faults| faults.twice) { 2 } else { 1 };
        if let Some(lane) = self.processes.get(&pid).and_then(|process| process.lane.as_ref()) {
            (0..times).for_each(|_| lane.say(word));
        }
    }

    fn accept_shared(&mut self, pid: u32, open: bool) -> (Came, Option<(usize, OwnedFd)>) {
        let is_full = self.strikes(|faults| faults.descriptors);
        let Some(lane) = self.processes.get_mut(&pid).and_then(|process| process.lane.as_mut()) else {
            return (Came::Error, None);
        };
        if open && lane.is_one_each() && lane.has_taken() {
            return (Came::Nothing, None);
        }
        let Some(listener) = &lane.listener else {
            self.ask_for_listener(pid);
            return (Came::Nothing, None);
        };
        if is_full {
            return (Came::Exhausted, None);
        }
        match accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK) {
            Ok(fd) => {
                // SAFETY: accept4 has just made it for us.
                let fd = unsafe { OwnedFd::from_raw_fd(fd) };
                if open {
                    lane.found_one();
                }
                let connection = self.accepted(Fate::Taken(pid)).expect("the kernel's queue is this one");
                (Came::Connection, Some((connection, fd)))
            }
            Err(nix::Error::EAGAIN) => (Came::Nothing, None),
            // Somebody has shut it down: the supervisor may have another.
            Err(_) => {
                lane.listener = None;
                self.ask_for_listener(pid);
                (Came::Error, None)
            }
        }
    }

    /// A connection came by the lane.
    fn received(&mut self, pid: u32, fd: OwnedFd) -> Accepted {
        let inode = nix::sys::stat::fstat(&fd).map_or(0, |status| status.st_ino);
        match self.held.remove(&inode) {
            Some(connection) => {
                self.become_of(connection, Fate::Taken(pid));
                Accepted::Connection(connection, fd)
            }
            // One of the supervisor's own, by which it is tried.
            None => Accepted::Nothing,
        }
    }

    /// The thread has a processor: it takes what it was woken for.
    pub(in crate::event_loop::simulation) fn run(&mut self, pid: u32) {
        let (now, at, scribble) = (self.monotonic(), self.now, self.dice.number());
        let is_any = !self.queue.is_empty();
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.is_alive()) else { return };
        let Thread::Woken { by_listener } = process.thread else { return };
        if process.hangs {
            leave_wait(process, now);
            return process.go_away(at);
        }
        if by_listener {
            let Some(lane) = &mut process.lane else { return };
            if is_any && let Some(watch) = lane.watch {
                if lane.holds(watch) {
                    lane.watch = Some(Watch { phase: Phase::Told, ..watch });
                } else {
                    self.stop_watching(pid, true);
                }
            } else if !lane.is_readable() {
                // Somebody else has taken it: it sleeps on.
                process.thread = Thread::Waits;
                return;
            }
        }
        let Some(process) = self.processes.get_mut(&pid) else { return };
        leave_wait(process, now);
        process.go_away(at);
        if process.temper.scribbles && scribble.is_multiple_of(4) {
            scribble_on(process, scribble);
        }
        let (greed, request, is_blocking) =
            (process.temper.greed, process.temper.request, process.temper.is_blocking);
        let mut away = Duration::from_micros(3);
        for _ in 0..greed {
            let Accepted::Connection(connection, fd) = self.accept(pid) else { break };
            let Some(process) = self.processes.get_mut(&pid) else { return };
            process.hands.push(connection);
            process.sockets.push(fd);
            if let Some(record) = process.page().and_then(|page| page.serving_record(key(pid), || pid)) {
                record.accepted();
            }
            away += Duration::from_micros(8);
            if is_blocking {
                away += request;
            }
            let done = if is_blocking { away } else { away + request };
            self.after(done, Deed::Answer(pid, connection));
        }
        self.after(away, Deed::Return(pid));
    }
}

/// Writes to its pages what no library writes.
fn scribble_on(process: &Process, number: u64) {
    if let Some(page) = process.lane.as_ref().and_then(Lane::page) {
        match number >> 8 & 3 {
            0 => page.count_accepted(),
            1 => drop(page.use_single()),
            2 => page.direct().watch(number, number as u32),
            _ => drop(page.shut(number >> 32)),
        }
    }
    if let Some(record) = process.page().and_then(|page| page.record(number | 64, || number as u32)) {
        record.accepted();
        record.leave(number);
    }
}

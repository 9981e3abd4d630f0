//! A process of a worker in a history: what it has, and what its thread does. How it starts and ends, and what the preloaded library does in
//! it, stands beside this.

use super::super::World;
use super::super::agenda::Deed;
use super::lane::Lane;
use super::temper::Temper;
use crate::io::kernel::memory::Memory;
use crate::io::launch::process_calls::Ended;
use clustermon_protocol::message::Token;
use clustermon_protocol::pulse::Page;
use nix::sys::socket::UnixAddr;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// The number under which it has its lane.
pub(super) const LANE_FD: i32 = 3;
/// The epoll set by which its thread waits.
pub(in crate::event_loop::simulation) const SET: u32 = 7;

/// What its thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::event_loop::simulation) enum Thread {
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
pub(in crate::event_loop::simulation) struct Process {
    pub(in crate::event_loop::simulation) pid: u32,
    pub(super) token: Token,
    pub(super) supervisor: UnixAddr,
    /// Readable once it has ended.
    pub(in crate::event_loop::simulation) pidfd: OwnedFd,
    pub(in crate::event_loop::simulation) ended: Option<Ended>,
    pub(in crate::event_loop::simulation) is_reaped: bool,
    pub(in crate::event_loop::simulation) temper: Temper,
    pub(in crate::event_loop::simulation) thread: Thread,
    pub(in crate::event_loop::simulation) hangs: bool,
    ran: Duration,
    away_since: Option<Instant>,
    /// Told to stop, and will.
    pub(in crate::event_loop::simulation) is_stopping: bool,
    pub(super) next: Option<Asks>,
    pub(super) asked: Option<(OwnedFd, Asks)>,
    pub(in crate::event_loop::simulation) lane: Option<Lane>,
    pub(in crate::event_loop::simulation) pulse: Option<Memory>,
    /// Connections that it has, and has not answered.
    pub(in crate::event_loop::simulation) hands: Vec<usize>,
    /// The sockets of these.
    pub(in crate::event_loop::simulation) sockets: Vec<OwnedFd>,
}

impl Process {
    pub(in crate::event_loop::simulation) fn is_alive(&self) -> bool {
        self.ended.is_none()
    }

    pub(in crate::event_loop::simulation) fn holds(&self, inode: u64) -> bool {
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
    pub(in crate::event_loop::simulation) fn ran_until(&self, now: Instant) -> Duration {
        self.ran + self.away_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// How many connections it has that are at work.
    pub(in crate::event_loop::simulation) fn busy(&self) -> usize {
        self.hands.len()
    }

    pub(in crate::event_loop::simulation) fn page(&self) -> Option<&Page> {
        // SAFETY: a page is made of atomics and numbers that nobody reads: any bytes are valid.
        unsafe { self.pulse.as_ref()?.at(0) }
    }
}

impl World {
    /// Starts one.
    pub(in crate::event_loop::simulation) fn start(
        &mut self,
        token: Token,
        supervisor: UnixAddr,
        pidfd: OwnedFd,
    ) -> u32 {
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
}

/// What stands for a pidfd: readable once somebody has written to it.
pub(in crate::event_loop::simulation) fn end() -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

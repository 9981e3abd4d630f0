//! The clients of a history, and what has become of each connection. A client sends nothing, and waits for its answer for ever.

use super::World;
use super::agenda::Deed;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, connect, socket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// In the queue of the listening socket.
    Queued,
    /// The supervisor has accepted it: it is its own, or lies in a lane.
    Held,
    /// A process has it.
    Taken(u32),
    Answered,
    /// The process that had it has ended.
    Orphaned,
    /// It came in vain: nobody listened, or the supervisor lets nobody in any more.
    Refused,
}

/// One connection, as its client has it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) fate: Fate,
    pub(super) since: Instant,
    /// Closed once it is known what has become of it.
    socket: Option<OwnedFd>,
}

impl Connection {
    /// The other side has closed it.
    pub(super) fn is_closed(&self) -> bool {
        let Some(socket) = &self.socket else { return true };
        let mut byte = 0u8;
        // SAFETY: the kernel writes at most one byte, to a byte that is ours.
        let read = unsafe {
            libc::recv(socket.as_raw_fd(), (&raw mut byte).cast(), 1, libc::MSG_PEEK | libc::MSG_DONTWAIT)
        };
        read == 0
    }

    /// Nothing more comes.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.fate, Fate::Answered | Fate::Orphaned | Fate::Refused)
    }
}

impl World {
    /// One client connects, or several at once; and when the next ones come.
    pub(super) fn clients(&mut self) {
        if !self.clients_come {
            return;
        }
        let count = match self.dice.below(12) {
            0 => 2 + self.dice.below(8),
            _ => 1,
        };
        for _ in 0..count {
            self.connect();
        }
        let pause = match self.dice.below(20) {
            // A pause in which everybody goes to sleep.
            0 => self.dice.millis(100, 2_500),
            1..6 => self.dice.millis(5, 60),
            // Steady traffic.
            _ => self.dice.micros(200, 3_000),
        };
        self.after(pause, Deed::Connect);
    }

    fn connect(&mut self) {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let Some(address) = self.address else { return };
        let Ok(fd) = socket(AddressFamily::Unix, SockType::Stream, flags, None) else { return };
        if connect(fd.as_raw_fd(), &address).is_err() {
            return;
        }
        let connection = Connection { fate: Fate::Queued, since: self.now, socket: Some(fd) };
        self.queue.push_back(self.connections.len());
        self.connections.push(connection);
        self.wake_watcher();
    }

    /// The connection that has waited for longest was accepted.
    pub(super) fn accepted(&mut self, fate: Fate) -> Option<usize> {
        let id = self.queue.pop_front()?;
        self.become_of(id, fate);
        Some(id)
    }

    pub(super) fn become_of(&mut self, id: usize, fate: Fate) {
        let connection = &mut self.connections[id];
        connection.fate = fate;
        if connection.is_over() {
            connection.socket = None;
        }
    }

    /// Nobody comes any more.
    pub(super) fn clients_stay_away(&mut self) {
        self.clients_come = false;
    }

    /// Those that the supervisor had and has closed; nobody is to answer them.
    pub(super) fn closed_unanswered(&self) -> impl Iterator<Item = usize> + '_ {
        let is_it = |connection: &Connection| connection.fate == Fate::Held && connection.is_closed();
        self.connections.iter().enumerate().filter(move |(_, it)| is_it(it)).map(|(id, _)| id)
    }

    /// Those that are nobody's yet.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (usize, &Connection)> {
        let waits = |it: &Connection| matches!(it.fate, Fate::Queued | Fate::Held);
        self.connections.iter().enumerate().filter(move |(_, it)| waits(it))
    }
}

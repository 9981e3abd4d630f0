//! A member of a group: a listening socket that a worker has and of which the supervisor has a copy, so that nothing which waits in its
//! queue dies with the worker. How the program came to be known is nothing to it: it needs no page and no library.

mod queue;

use super::idle::Idle;
use crate::ids::{BalancerId, WorkerId};
use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::sockopt::{bind_raw, is_nonblocking, listen, queue_length, set_blocking};
use crate::io::lanes::lane::{Holder, is_at};
use crate::io::sockets::listener::{Connection, accept_from, twin};
use crate::io::sockets::syn_filter;
use clustermon_protocol::address::Address;
use queue::Queue;
pub(crate) use queue::Sign;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// One member.
#[derive(Debug)]
pub(crate) struct Member {
    /// Whose it is, or was.
    pub(crate) worker: WorkerId,
    pub(crate) balancer: BalancerId,
    /// The process that listened, and the fd number under which it did.
    pub(crate) holder: Holder,
    /// Where the socket was last seen.
    pub(crate) seen_at: Holder,
    pub(crate) inode: u64,
    pub(crate) cookie: u64,
    /// The length of the queue that was asked for.
    pub(crate) backlog: i32,
    /// Since when it has not been live, if it has been.
    pub(crate) out_since: Option<Instant>,
    /// Whether its worker is idle, as the program sees it.
    pub(crate) idle: Idle,
    /// How many connections it was given, as far as has been told.
    pub(crate) told: u64,
    queue: Queue,
    socket: Foreign,
}

impl Member {
    /// The socket listens, or is about to.
    pub(crate) fn new(
        (worker, balancer, holder): (WorkerId, BalancerId, Holder),
        (inode, cookie): (u64, u64),
        backlog: i32,
        socket: Foreign,
    ) -> Self {
        Self {
            worker,
            balancer,
            holder,
            seen_at: holder,
            inode,
            cookie,
            backlog,
            out_since: None,
            idle: Idle::default(),
            told: 0,
            queue: Queue::default(),
            socket,
        }
    }

    /// It is another worker's now; what waits in it stays there.
    pub(crate) fn pass_to(&mut self, worker: WorkerId, holder: Holder) {
        (self.worker, self.holder, self.seen_at) = (worker, holder, holder);
        (self.out_since, self.told, self.queue, self.idle) = (None, 0, Queue::default(), Idle::default());
    }

    /// How many connections wait in its queue; `None` if it does not listen any more.
    pub(crate) fn waiting(&self) -> Option<u32> {
        queue_length(self.socket.as_fd())
    }

    /// Nobody is left who was let in and not accepted, nor is about to be.
    pub(crate) fn is_empty(&self) -> io::Result<bool> {
        syn_filter::is_empty(self.socket.as_fd())
    }

    /// Lets nobody new in.
    pub(crate) fn stop_intake(&self) -> io::Result<()> {
        syn_filter::close(self.socket.as_fd())
    }

    /// Another copy, for somebody who looks at its queue or is to have it.
    pub(crate) fn copy(&self) -> io::Result<OwnedFd> {
        self.socket.as_fd().try_clone_to_owned()
    }

    /// Looks at the queue.
    pub(crate) fn look(&mut self, now: Instant, waiting: u32, sign: Sign) {
        self.queue.look(now, waiting, sign);
    }

    /// For how long something has waited in it without anything being taken, by the last look.
    pub(crate) fn stuck_for(&self, now: Instant) -> Duration {
        self.queue.stuck_for(now)
    }

    /// What waited in it has gone to others. `to_be_tried`: that its worker takes something again shows only when it is given something.
    pub(crate) fn moved(&mut self, now: Instant, to_be_tried: bool) {
        self.queue.moved(now, to_be_tried);
    }

    /// It stops to listen, whoever has it: the kernel moves what waits in its queue to another member, where it does that at all.
    pub(crate) fn shut(&self) {
        // SAFETY: no memory is involved.
        unsafe { libc::shutdown(self.socket.as_raw_fd(), libc::SHUT_RD) };
    }

    /// It listens again, at the same address.
    pub(crate) fn listen_again(&mut self, address: &Address) -> io::Result<()> {
        // One that was bound to port 0 has lost its port and would get any other. The others are bound still, which is EINVAL.
        match bind_raw(self.socket.as_fd(), address.as_bytes()) {
            Err(error) if error.raw_os_error() != Some(libc::EINVAL) => return Err(error),
            Ok(()) | Err(_) => {}
        }
        listen(self.socket.as_fd(), self.backlog)
    }

    /// Takes a connection out of the queue of a socket that no process has. Not to be called when none waits: it would block.
    pub(crate) fn accept(&self) -> io::Result<Connection> {
        accept_from(self.socket.as_fd(), false, self.balancer)
    }

    /// False if nothing of it is to be seen where it was last.
    pub(crate) fn is_where_it_was(&self) -> bool {
        is_at(self.seen_at, self.inode)
    }
}

impl AsFd for Member {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A plain TCP socket that listens in the place of one of MPTCP, with its options. Connections by MPTCP go on as ones by TCP.
pub(crate) fn plain(other: BorrowedFd<'_>, address: &Address, backlog: i32) -> io::Result<OwnedFd> {
    let plain = twin::by_tcp(other, address, backlog)?;
    if !is_nonblocking(other) {
        set_blocking(plain.as_fd());
    }
    Ok(plain)
}

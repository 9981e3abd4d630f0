//! A lane: a connected pair whose worker end stands where the program's listening socket stood. The supervisor keeps a
//! copy of the worker end, so that nothing which waits in the lane dies with the worker.

mod holder;
#[cfg(test)]
mod tests;
mod upward;

pub(crate) use self::holder::{Holder, is_at};
pub(crate) use self::upward::Garbage;

use super::credit::Credits;
use super::trigger::Registered;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::{descriptors, message, sockopt};
use crate::io::sockets::listener::Connection;
use clustermon_protocol::address::Address;
use clustermon_protocol::identity::Identity;
use clustermon_protocol::record::{self, Record};
use clustermon_protocol::release::Ticket;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

/// One lane.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) worker: WorkerId,
    pub(crate) balancer: BalancerId,
    /// The process that listened, and the fd number under which it did.
    pub(crate) holder: Holder,
    /// Where the worker end was last seen: at first where it was put.
    pub(crate) seen_at: Holder,
    /// Inode of the worker end.
    pub(crate) inode: u64,
    /// The kernel's number for the socket at the worker's end.
    cookie: u64,
    /// The core wants to know when the worker has taken something.
    pub(crate) watched: bool,
    /// The poll reports writability.
    pub(crate) armed: bool,
    /// The core gives it one connection at a time.
    pub(crate) one_by_one: bool,
    /// How often its thread had waited when it was last given one, one by one.
    pub(crate) given_at: Option<u64>,
    /// How its process is told of it, as far as that has been read.
    pub(crate) registered: Registered,
    /// The last one given out.
    pub(crate) ticket: Ticket,
    /// The core has given it an open credit that is not known to have ended.
    pub(crate) open: bool,
    /// What had been accepted by its open credit when it was looked at, and when that was first seen.
    pub(crate) seen: Option<(Instant, u64)>,
    /// Of a lane by which the worker may accept by itself.
    pub(crate) credits: Option<Credits>,
    /// Something else than credits may lie in it.
    has_others: Cell<bool>,
    /// What the worker has said lies in it.
    supervisor_end: Foreign,
    /// Connections may lie in it, and close as slowly as the program wants.
    worker_end: Foreign,
    record_cost: u32,
}

impl Lane {
    /// Makes a lane of at most `window` waiting connections.
    pub(crate) fn new(
        id: LaneId,
        nonce: u64,
        address: &Address,
        (worker, balancer, holder): (WorkerId, BalancerId, Holder),
        ticket: Ticket,
        window: u32,
        record_cost: u32,
    ) -> io::Result<Self> {
        let (supervisor_end, worker_end) = pair()?;
        // No thunk sends any upwards.
        message::refuse_descriptors(supervisor_end.as_fd());
        // A write is allowed, and reported as possible, while a quarter of the buffer is free of what was sent before;
        // the kernel doubles what it is told. The window itself is counted, not left to the buffer.
        let buffer = (record_cost * window * 2).to_ne_bytes();
        sockopt::set_option(supervisor_end.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF, &buffer)?;
        let identity = Identity { lane: id.0, nonce, address: *address };
        let (name, len) = identity.own_name();
        sockopt::bind_raw(worker_end.as_fd(), &name[..len])?;
        if let Some((name, len)) = identity.peer_name() {
            sockopt::bind_raw(supervisor_end.as_fd(), &name[..len])?;
        }
        let inode = nix::sys::stat::fstat(&worker_end)?.st_ino;
        let cookie = sockopt::cookie(worker_end.as_fd())?;
        Ok(Self {
            worker,
            balancer,
            holder,
            seen_at: holder,
            inode,
            cookie,
            watched: false,
            armed: false,
            one_by_one: false,
            given_at: None,
            registered: Registered::default(),
            ticket,
            open: false,
            seen: None,
            credits: None,
            has_others: Cell::new(false),
            supervisor_end: supervisor_end.into(),
            worker_end: worker_end.into(),
            record_cost,
        })
    }

    /// The end to hand to the worker.
    pub(crate) fn worker_end(&self) -> BorrowedFd<'_> {
        self.worker_end.as_fd()
    }

    /// Hands over a connection; on an error it is still the caller's. Else the caller closes its copy and then releases
    /// the ticket: the worker waits for that.
    pub(crate) fn give(&mut self, connection: &Connection) -> io::Result<Ticket> {
        let ticket = Ticket { number: self.ticket.number.wrapping_add(1), ..self.ticket };
        let record = Record::Connection { peer: connection.peer, nonblock: connection.nonblock, ticket };
        if let Some(credits) = &self.credits {
            credits.hand_over();
        }
        self.has_others.set(true);
        message::send(self.supervisor_end.as_fd(), &record.encode(), Some(connection.fd.as_fd()))?;
        self.ticket = ticket;
        Ok(ticket)
    }

    /// A copy of the supervisor's end, by which it can be seen whether anything waits.
    pub(crate) fn observer(&self) -> io::Result<OwnedFd> {
        self.supervisor_end.as_fd().try_clone_to_owned()
    }

    /// The worker accepts by itself when it is given a credit.
    pub(crate) fn takes_credit(&self) -> bool {
        self.credits.as_ref().is_some_and(|credits| credits.taken_up)
    }

    /// The worker's wait watches the listening socket, by a credit that is open.
    pub(crate) fn is_direct(&self) -> bool {
        self.open && self.credits.as_ref().is_some_and(Credits::is_direct)
    }

    /// Allows one accept.
    pub(crate) fn grant(&mut self) -> io::Result<()> {
        let series = self.credits.as_ref().map_or(0, Credits::series);
        let record = Record::Single { lane: self.cookie, series };
        message::send(self.supervisor_end.as_fd(), &record.encode(), None)?;
        if let Some(credits) = &mut self.credits {
            credits.grant();
        }
        Ok(())
    }

    /// Allows to accept until the queue is empty. On an error nothing is open.
    pub(crate) fn open(&mut self) -> io::Result<()> {
        self.settle_handed();
        let Some(credits) = &mut self.credits else { return Err(io::ErrorKind::NotConnected.into()) };
        let generation = credits.open();
        let sent = message::send(self.supervisor_end.as_fd(), &Record::Open { generation }.encode(), None);
        sent.inspect_err(|_| {
            credits.revoke();
        })
    }

    /// The two sides count what was handed over, and only one of them what was given before there was a page, or was taken back. While
    /// they differ the worker takes a connection to lie in the lane. An empty lane has none.
    fn settle_handed(&self) {
        if let Some(credits) = self.credits.as_ref().filter(|credits| credits.may_hold_connections())
            && self.records() == 0
        {
            credits.nothing_is_handed();
        }
    }

    /// How many records wait that somebody is to take; of credits, how many singles are unused.
    pub(crate) fn waiting(&self) -> u32 {
        let Some(credits) = self.credits.as_ref().filter(|credits| credits.taken_up) else {
            return self.records();
        };
        if !self.has_others.get() {
            return credits.unused();
        }
        let records = self.records();
        self.has_others.set(records > 0);
        records.max(credits.unused())
    }

    /// Something else than credits may lie in it: that it is taken is seen by its taking only.
    pub(crate) fn has_others(&self) -> bool {
        self.has_others.get()
    }

    /// A single that was taken off by a thread which then ended is never used: it no longer counts once the lane is empty and
    /// no thread is accepting.
    pub(crate) fn write_off_lost(&mut self) {
        let records = self.records();
        if let Some(credits) = self.credits.as_mut().filter(|credits| credits.taken_up)
            && records == 0
            && credits.unused() > 0
            && !credits.is_accepting()
        {
            credits.write_off();
        }
    }

    /// The same once more, where a thread was accepting the last time: who then found that its single was void has told nobody, and the lane
    /// would count as full until the next look.
    pub(crate) fn settle_written_off(&mut self) {
        if self.credits.as_ref().is_some_and(Credits::is_unsettled) {
            self.write_off_lost();
        }
    }

    /// The worker's end does not block: the flags are those of the open file, which is the supervisor's too.
    pub(crate) fn is_nonblocking(&self) -> bool {
        sockopt::is_nonblocking(self.worker_end.as_fd())
    }

    /// Something may yet be accepted by what was granted before.
    pub(crate) fn may_follow(&self) -> bool {
        let accepts = |credits: &Credits| credits.is_open() || credits.unused() > 0 || credits.is_accepting();
        self.takes_credit() && self.credits.as_ref().is_some_and(accepts)
    }

    /// How many records wait.
    fn records(&self) -> u32 {
        sockopt::unreceived(self.supervisor_end.as_fd()).map_or(0, |bytes| bytes.div_ceil(self.record_cost))
    }

    /// Takes back what waits, oldest first. False if some of it still waits, because there is no descriptor for it.
    pub(crate) fn take_back(&mut self) -> (Vec<Connection>, bool) {
        if let Some(credits) = &self.credits {
            credits.revoke();
        }
        let mut taken = Vec::new();
        let mut bytes = [0; record::LEN];
        loop {
            // A record that finds no room for its descriptor is lost with it.
            if !descriptors::is_there_one(self.worker_end.as_fd()) {
                return (taken, self.records() == 0);
            }
            match message::receive(self.worker_end.as_fd(), &mut bytes) {
                Ok(incoming) if incoming.len == 0 => return (taken, true),
                Ok(incoming) => {
                    // Its thread sleeps on, and has nothing.
                    self.given_at = None;
                    match (Record::decode(&bytes), incoming.fd) {
                        (Some(Record::Connection { peer, nonblock, .. }), Some(fd)) => {
                            let fd = fd.into_owned();
                            taken.push(Connection { fd, peer, nonblock, balancer: self.balancer });
                        }
                        // Another thread took the last descriptor in between.
                        (Some(Record::Connection { .. }), None) => log::error!("a connection was lost"),
                        (Some(Record::Single { .. }), _) => {
                            if let Some(credits) = &mut self.credits {
                                credits.take_back();
                            }
                        }
                        (Some(Record::Void | Record::Open { .. }) | None, _) => {}
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return (taken, true),
            }
        }
    }

    /// Leaves a record that says: what you were told of is gone.
    pub(crate) fn leave_void(&self) {
        self.has_others.set(true);
        let _ = message::send(self.supervisor_end.as_fd(), &Record::Void.encode(), None);
    }

    /// Leaves a record that means nothing, for a worker whose wait watches the listening socket. Unlike a void record nobody need
    /// know whether it has been taken.
    pub(crate) fn wake(&self) {
        let _ = message::send(self.supervisor_end.as_fd(), &Record::Void.encode(), None);
    }
}

impl AsFd for Lane {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.supervisor_end.as_fd()
    }
}

fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC;
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?)
}

/// How many bytes of buffer space one record takes, as this kernel counts: measured, since it differs by version.
pub(crate) fn record_cost() -> io::Result<u32> {
    let (a, b) = pair()?;
    message::send(a.as_fd(), &Record::Void.encode(), Some(b.as_fd()))?;
    Ok(sockopt::unreceived(a.as_fd())?.max(1))
}

//! A member of a group for datagrams: a bound UDP socket that a worker has and of which the supervisor has a copy, so that what waits in it
//! does not die with the worker.

use super::socket;
use crate::ids::{BalancerId, WorkerId};
use crate::io::kernel::foreign::Foreign;
use crate::io::lanes::lane::{Holder, is_at};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// One member.
#[derive(Debug)]
pub(crate) struct Member {
    /// Whose it is, or was.
    pub(crate) worker: WorkerId,
    pub(crate) balancer: BalancerId,
    /// The process that bound it, and the number of its descriptor.
    pub(crate) holder: Holder,
    /// Where the socket was last seen.
    pub(crate) seen_at: Holder,
    pub(crate) inode: u64,
    pub(crate) cookie: u64,
    /// How many flows it was given, as far as has been told.
    told: u64,
    /// Since when no process has it.
    pub(crate) left_at: Option<Instant>,
    talk: Talk,
    socket: Foreign,
}

/// What was last seen of its flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Talk {
    is_live: bool,
    datagrams: u64,
    /// Since when none has come.
    silent_since: Instant,
}

impl Member {
    pub(crate) fn new(
        (worker, balancer, holder): (WorkerId, BalancerId, Holder),
        (inode, cookie): (u64, u64),
        now: Instant,
        socket: Foreign,
    ) -> Self {
        let talk = Talk { is_live: false, datagrams: 0, silent_since: now };
        Self {
            worker,
            balancer,
            holder,
            seen_at: holder,
            inode,
            cookie,
            told: 0,
            left_at: None,
            talk,
            socket,
        }
    }

    /// It is another worker's now; what waits in it stays there.
    pub(crate) fn pass_to(&mut self, worker: WorkerId, holder: Holder) {
        // The slot goes on counting.
        (self.worker, self.holder, self.seen_at) = (worker, holder, holder);
        self.left_at = None;
    }

    /// Another copy, for somebody who is to have it.
    pub(crate) fn copy(&self) -> io::Result<OwnedFd> {
        self.socket.as_fd().try_clone_to_owned()
    }

    /// Nothing waits in it. What cannot be told is not taken for nothing.
    pub(crate) fn is_empty(&self) -> bool {
        socket::waiting(self.socket.as_fd()).is_some_and(|(memory, _)| memory == 0)
    }

    /// It takes datagrams of one peer only.
    pub(crate) fn is_connected(&self) -> bool {
        socket::is_connected(self.socket.as_fd())
    }

    /// How many flows it was given since this was last asked, if any; so many are there now.
    pub(crate) fn untold(&mut self, flows: u64) -> Option<u32> {
        let more = flows.saturating_sub(self.told);
        self.told = flows;
        u32::try_from(more).ok().filter(|more| *more > 0)
    }

    /// It is given new flows from now on, or no more: where its datagrams are not counted the silence begins with that.
    pub(crate) fn is_given_new(&mut self, now: Instant, is_live: bool) {
        if self.talk.is_live && !is_live {
            self.talk.silent_since = now;
        }
        self.talk.is_live = is_live;
    }

    /// One more look at how many datagrams its flows have brought.
    pub(crate) fn look(&mut self, now: Instant, datagrams: u64) {
        if datagrams != self.talk.datagrams || !self.is_empty() {
            self.talk = Talk { datagrams, silent_since: now, ..self.talk };
        }
    }

    /// For how long nothing has come of its flows, by the last look.
    pub(crate) fn silent_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.talk.silent_since)
    }

    /// Closes it at once, which takes no time: a UDP socket waits for nobody.
    pub(crate) fn close(self) {
        drop(self.socket.into_owned());
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

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a time has to begin somewhere")]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn flows_are_silent_from_the_last_datagram_on_and_not_while_one_waits() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let copy = Foreign::from(OwnedFd::from(server.try_clone().unwrap()));
        let holder = Holder { pid: 1, fd: 3 };
        let worker = WorkerId { slot: 0, incarnation: 1 };
        let mut member = Member::new((worker, BalancerId(1), holder), (7, 8), start, copy);
        member.look(at(10), 0);
        assert_eq!(member.silent_for(at(20)), Duration::from_millis(20));
        member.look(at(20), 1);
        assert_eq!(member.silent_for(at(30)), Duration::from_millis(10));
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"x", address).unwrap();
        member.look(at(40), 1);
        assert_eq!(member.silent_for(at(40)), Duration::ZERO);
        server.recv(&mut [0; 1]).unwrap();
        member.look(at(50), 1);
        assert_eq!(member.silent_for(at(50)), Duration::from_millis(10));
    }
}

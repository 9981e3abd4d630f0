//! The end of an address whose workers accept by themselves: nobody new is let in, and who was let in is waited for. Where there is no
//! worker, who waits is refused.

use super::super::Shell;
use super::super::connections::state::Connections;
use super::super::os::Os;
use super::Steering;
use crate::ids::BalancerId;
use crate::io::steering::member::Member;
use std::io;
use std::os::fd::AsFd;

impl Steering {
    /// Lets nobody new in at any socket of the address.
    pub(in crate::event_loop) fn stop_intake(&mut self, balancer: BalancerId) {
        let Self { groups, members, orphans } = self;
        let own = |member: &&Member| member.balancer == balancer && member.waiting().is_some();
        for member in members.values().chain(orphans.values()).filter(own) {
            let closed = member.stop_intake().or_else(|error| {
                // Sockets of MPTCP take no filter.
                groups.get_mut(&balancer).ok_or(error).and_then(|group| group.stop_intake(member.as_fd()))
            });
            if let Err(error) = closed {
                log::debug!("whoever comes now may be let in: {error}");
            }
        }
    }

    /// Nobody is left in any queue of the address, nor about to come to one. `None` if it is not that of a group.
    pub(in crate::event_loop) fn is_empty(&self, balancer: BalancerId) -> Option<io::Result<bool>> {
        self.groups.get(&balancer)?;
        let mut all = true;
        for member in self.sockets(balancer).filter(|member| member.waiting().is_some()) {
            match member.is_empty() {
                Ok(empty) => all &= empty,
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(all))
    }
}

impl<O: Os> Shell<O> {
    /// Refuses those who wait where no worker is.
    pub(in crate::event_loop) fn refuse_waiting(&mut self, balancer: BalancerId) {
        let Self { steering, connections: Connections { pending, .. }, .. } = self;
        for member in steering.orphans.values().filter(|member| member.balancer == balancer) {
            // Nobody else accepts from it, so that these are there.
            for _ in 0..member.waiting().unwrap_or(0) {
                match member.accept() {
                    Ok(connection) => {
                        let conn = pending.insert(connection);
                        pending.refuse(conn);
                    }
                    Err(error) => {
                        log::debug!("a connection cannot be refused: {error}");
                        break;
                    }
                }
            }
        }
    }
}

//! Where the kernel brings connections to workers by itself: which socket stands where the program's own stood, and what is done when a
//! worker is to take part or no more. So far there is one level: all workers of an address have one listening socket.

use super::super::Shell;
use super::super::connections::accepting::mute;
use super::super::os::Os;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::kernel::foreign::Foreign;
use crate::io::lanes::lane::{Holder, Lane};
use crate::io::sockets::listener::Facts;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// What `status` says of the level.
pub(in crate::event_loop) const SHARED: &str = "workers share one listening socket: one that is cordoned, lags or is told to stop takes part until it closes it";

impl<O: Os> Shell<O> {
    /// The socket that is to stand where a worker's own, which is about to listen on the balancer's address, stands. The first worker's
    /// own has become the balancer's, and is this one.
    pub(super) fn socket_for(&self, balancer: BalancerId) -> Option<BorrowedFd<'_>> {
        self.listeners.get(&balancer).map(AsFd::as_fd)
    }

    /// A balancer on the socket of the first worker that listens on its address.
    pub(super) fn open_kernel_balancer(
        &mut self,
        worker: WorkerId,
        socket: Foreign,
        facts: Facts,
        backlog: i32,
    ) -> io::Result<BalancerId> {
        let balancer = BalancerId(self.next_balancer);
        self.next_balancer += 1;
        self.open_balancer(worker, balancer, socket, facts, backlog, true)?;
        Ok(balancer)
    }

    /// A lane that stands for the worker's descriptor of the socket; nothing is ever put into it. Of a process that has closed its
    /// descriptor and listens again it is the one that it had.
    pub(super) fn open_kernel_lane(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        balancer: BalancerId,
    ) -> io::Result<LaneId> {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let (address, inode) = self
            .listeners
            .get(&balancer)
            .map(|listener| (listener.address, listener.inode))
            .ok_or_else(gone)?;
        let is_its = |lane: &Lane| {
            (lane.worker, lane.balancer, lane.holder.pid) == (worker, balancer, holder.pid)
                && !self.os.is_at(lane.seen_at, lane.inode)
        };
        if let Some((id, lane)) = self.lanes.iter_mut().find(|(_, lane)| is_its(lane)) {
            (lane.holder, lane.seen_at) = (holder, holder);
            return Ok(*id);
        }
        let id = self.open_lane(worker, holder, balancer, &address)?;
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.inode = inode;
        }
        Ok(id)
    }

    /// The balancer may accept again: of one whose connections the kernel brings, to refuse them, for nobody serves it.
    pub(in crate::event_loop) fn resume(&mut self, balancer: BalancerId) {
        if let Some(listener) = self.listeners.get_mut(&balancer).filter(|listener| listener.by_kernel) {
            listener.pending = true;
            mute(&self.poll, listener, false);
        }
        self.make_ready(balancer);
    }

    /// Others take part from now on. Of a shared socket nobody can be kept from accepting; but somebody serves it now, or nobody.
    pub(in crate::event_loop) fn steer_shared(&mut self, balancer: BalancerId) {
        let is_served = self.pool.balancer(balancer).is_some_and(|known| known.rotation().next().is_some());
        let Some(listener) = self.listeners.get_mut(&balancer) else { return };
        if is_served {
            // It was refused from here while nobody served.
            mute(&self.poll, listener, true);
            listener.let_block();
        }
    }

    /// Whether the worker can be kept from new connections while it finishes what it has: else nothing is gained by a wait.
    pub(in crate::event_loop) fn can_be_left_out(&self, worker: WorkerId) -> bool {
        let mut own = self.lanes.values().filter(|lane| lane.worker == worker);
        !own.any(|lane| self.listeners.get(&lane.balancer).is_some_and(|listener| listener.by_kernel))
    }
}

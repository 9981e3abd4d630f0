//! Workers of one address that all have one listening socket, because the kernel cannot choose among several: who gets it, and what is
//! done when a worker is to take part or no more.

use super::super::Shell;
use super::super::connections::accepting::mute;
use super::super::os::Os;
use super::super::steering::Joined;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::kernel::foreign::Foreign;
use crate::io::lanes::lane::{Holder, Lane};
use crate::io::sockets::listener::Facts;
use std::io;
use std::os::fd::AsFd;

/// What `status` says of the level.
const SHARED: &str = "one that is cordoned, lags or is told to stop takes part until it closes its socket";

impl<O: Os> Shell<O> {
    /// The socket of all for the worker, in the place of its own.
    pub(super) fn share(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: &Foreign,
        facts: &Facts,
        balancer: BalancerId,
    ) -> io::Result<Joined> {
        let in_use = || io::Error::from_raw_os_error(libc::EADDRINUSE);
        let shared = self.listeners.all.get(&balancer).filter(|listener| listener.by_kernel);
        let is_its_own = shared.is_some_and(|listener| listener.inode == facts.inode);
        if shared.is_none() || !is_its_own && self.listens_already(worker, holder, balancer, facts) {
            let what = format!("listens on {} twice", facts.address);
            self.accuse_worker(worker, holder.pid, what);
            return Err(in_use());
        }
        let instead =
            if is_its_own { None } else { shared.map(|all| all.as_fd().try_clone_to_owned()).transpose()? };
        if !is_its_own {
            self.keep_way_of_waiting(balancer, socket);
        }
        let lane = self.open_kernel_lane(worker, holder, balancer)?;
        Ok(Joined { member: lane, balancer, instead, is_new: self.pool.lane(lane).is_none() })
    }

    /// The balancer whose very socket this is.
    pub(super) fn shared_socket(&self, socket: &Foreign) -> Option<BalancerId> {
        let inode = nix::sys::stat::fstat(socket).ok()?.st_ino;
        let found =
            self.listeners.all.values().find(|listener| listener.by_kernel && listener.inode == inode);
        found.map(|listener| listener.id)
    }

    /// The state of O_NONBLOCK is that of the open socket, which all have: an event loop must not wait in accept().
    fn keep_way_of_waiting(&mut self, balancer: BalancerId, own: &Foreign) {
        let Some(listener) = self.listeners.all.get_mut(&balancer) else { return };
        if listener.must_not_block(own.as_fd()) {
            log::debug!(
                "{}: O_NONBLOCK is set for all workers, for one of them asks for it",
                listener.address
            );
        }
    }

    /// A balancer on the socket of the first worker that listens on its address.
    pub(super) fn open_shared(
        &mut self,
        worker: WorkerId,
        socket: &Foreign,
        facts: &Facts,
        backlog: i32,
        because: String,
    ) -> io::Result<BalancerId> {
        let balancer = self.listeners.name_another();
        let copy = Foreign::from(socket.as_fd().try_clone_to_owned()?);
        self.open_balancer(worker, balancer, copy, facts.clone(), backlog, true)?;
        if let Some(listener) = self.listeners.all.get_mut(&balancer) {
            listener.shared_because = format!("{because}; {SHARED}");
        }
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
            .all
            .get(&balancer)
            .map(|listener| (listener.address, listener.inode))
            .ok_or_else(gone)?;
        let is_its = |lane: &Lane| {
            (lane.worker, lane.balancer, lane.holder.pid) == (worker, balancer, holder.pid)
                && !self.os.is_at(lane.seen_at, lane.inode)
        };
        if let Some((id, lane)) = self.lanes.all.iter_mut().find(|(_, lane)| is_its(lane)) {
            (lane.holder, lane.seen_at) = (holder, holder);
            return Ok(*id);
        }
        let id = self.open_lane(worker, holder, balancer, &address)?;
        if let Some(lane) = self.lanes.all.get_mut(&id) {
            lane.inode = inode;
        }
        Ok(id)
    }

    /// The balancer may accept again: of one whose connections the kernel brings, to refuse them, for nobody serves it.
    pub(in crate::event_loop) fn resume(&mut self, balancer: BalancerId) {
        if let Some(listener) = self.listeners.all.get_mut(&balancer).filter(|listener| listener.by_kernel) {
            listener.pending = true;
            mute(&self.poll, listener, false);
        }
        self.make_ready(balancer);
    }

    /// Others take part from now on. Of a shared socket nobody can be kept from accepting; but somebody serves it now, or nobody.
    pub(in crate::event_loop) fn steer_shared(&mut self, balancer: BalancerId) {
        let is_served = self.pool.balancer(balancer).is_some_and(|known| known.rotation().next().is_some());
        let Some(listener) = self.listeners.all.get_mut(&balancer) else { return };
        if is_served {
            // It was refused from here while nobody served.
            mute(&self.poll, listener, true);
            listener.let_block();
        }
    }

    /// Whether the worker can be kept from new connections while it finishes what it has: else nothing is gained by a wait.
    pub(in crate::event_loop) fn can_be_left_out(&self, worker: WorkerId) -> bool {
        let mut own = self.lanes.all.values().filter(|lane| lane.worker == worker);
        !own.any(|lane| self.listeners.all.get(&lane.balancer).is_some_and(|listener| listener.by_kernel))
    }
}

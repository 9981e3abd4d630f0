//! Which socket a worker with the filter gets where the cluster serves: as a rule its own, as a member of the group of its address, among
//! which the kernel chooses. Where the kernel cannot choose all have one (`shared_socket`).

use super::super::Shell;
use super::super::os::Os;
use super::super::steering::Joined;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::sockopt::cookie;
use crate::io::lanes::lane::Holder;
use crate::io::sockets::listener::Facts;
use crate::pool::Input;
use std::io;
use std::os::fd::AsFd;

impl<O: Os> Shell<O> {
    /// The worker listens at an address of the cluster. The core is yet to be told of it.
    pub(super) fn take_in(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: Foreign,
        backlog: i32,
    ) -> io::Result<Joined> {
        let facts = Facts::of(socket.as_fd(), None, &[])?;
        let balancer = match self.listeners.by_key.get(&facts.key).copied() {
            Some(balancer) => balancer,
            None => {
                self.may_open_another(worker, holder, &facts.address)?;
                self.open_steered(worker, &socket, &facts, backlog)?
            }
        };
        if self.steering.has(balancer) {
            return self.join_group(worker, holder, socket, facts, backlog);
        }
        self.share(worker, holder, &socket, &facts, balancer)
    }

    /// A balancer at an address where there is none, with the best that the kernel does there.
    fn open_steered(
        &mut self,
        worker: WorkerId,
        socket: &Foreign,
        facts: &Facts,
        backlog: i32,
    ) -> io::Result<BalancerId> {
        let (listener, group) = self.listen_in_group(worker, socket, facts, backlog)?;
        if group.is_split() {
            return Ok(self.open_group(listener, group));
        }
        self.open_shared(worker, socket, facts, backlog, group.reason().to_owned())
    }

    /// True if it is a socket of the cluster's already. A second call may come from a program that has been executed since, or that had
    /// shut its socket down.
    pub(super) fn listens_again(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: &Foreign,
    ) -> io::Result<bool> {
        if self.listens_once_more(holder, cookie(socket.as_fd())?)?.is_some() {
            return Ok(true);
        }
        let Some(balancer) = self.shared_socket(socket) else { return Ok(false) };
        if !self.lanes.all.values().any(|lane| lane.worker == worker && lane.balancer == balancer) {
            let lane = self.open_kernel_lane(worker, holder, balancer)?;
            self.enter(worker, holder, lane, balancer);
        }
        Ok(true)
    }

    /// The process is gone before it had its socket.
    pub(super) fn turn_away(&mut self, joined: &Joined) {
        let Joined { member, balancer, is_new, .. } = *joined;
        if is_new && self.steering.has(balancer) {
            self.retire_member(member);
        } else if is_new {
            self.abandon(member);
        }
        self.input(Input::Unlistened { balancer });
    }

    /// The worker takes part.
    pub(super) fn enter(&mut self, worker: WorkerId, holder: Holder, lane: LaneId, balancer: BalancerId) {
        self.join(worker, holder.pid);
        self.input(Input::LaneOpened { lane, worker, balancer });
        self.may_be_ready(worker);
    }
}

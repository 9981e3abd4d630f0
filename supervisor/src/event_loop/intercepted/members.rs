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
use std::os::fd::{AsFd, OwnedFd};

impl<O: Os> Shell<O> {
    /// The worker listens at an address of the cluster. The socket that is to stand where its own stood, if another is to.
    pub(super) fn take_in(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: Foreign,
        backlog: i32,
    ) -> io::Result<Option<(OwnedFd, LaneId)>> {
        let facts = Facts::of_kernel_socket(socket.as_fd())?;
        let balancer = match self.by_key.get(&facts.key).copied() {
            Some(balancer) => balancer,
            None => {
                self.may_open_another(worker, holder, &facts.address)?;
                self.open_steered(worker, &socket, &facts, backlog)?
            }
        };
        if self.steering.has(balancer) {
            let joined = self.join_group(worker, holder, socket, facts, backlog)?;
            let Joined { member, balancer, instead, is_new } = joined;
            if is_new {
                self.enter(worker, holder, member, balancer);
            }
            return Ok(instead.map(|instead| (instead, member)));
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
        if !self.lanes.values().any(|lane| lane.worker == worker && lane.balancer == balancer) {
            let lane = self.open_kernel_lane(worker, holder, balancer)?;
            self.enter(worker, holder, lane, balancer);
        }
        Ok(true)
    }

    /// The worker takes part.
    pub(super) fn enter(&mut self, worker: WorkerId, holder: Holder, lane: LaneId, balancer: BalancerId) {
        self.join(worker, holder.pid);
        self.input(Input::LaneOpened { lane, worker, balancer });
        self.may_be_ready(worker);
    }
}

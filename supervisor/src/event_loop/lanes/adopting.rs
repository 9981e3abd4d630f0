//! Lanes for processes that came by their worker's without listening: forked children, mostly. Each is a member of the
//! worker, which its parent stops, and gets a lane of its own once two of them are seen to wait at the same time.

use super::super::Shell;
use super::super::os::Os;
use super::super::requests::errno;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::kernel::pidfd;
use crate::io::lanes::lane::Holder;
use crate::io::lanes::thunk_socket::Answerer;
use crate::io::process::epoll_sets;
use crate::pool::Input;
use clustermon_protocol::message::Reply;
use clustermon_protocol::pulse::{PulseLook, WaitsOn};
use std::io;

/// Most lanes of one worker's forked processes, and most of these that are members; more share what they came by.
const MAX_ADOPTED: usize = 256;

impl<O: Os> Shell<O> {
    /// Answers a process that accepts from a lane which it did not get by listening. `unsure`: it could not see whether
    /// its parent has the epoll set as well in which it has the lane.
    pub(in crate::event_loop) fn adopt(
        &mut self,
        worker: WorkerId,
        from: LaneId,
        holder: Holder,
        unsure: bool,
        caller: Answerer,
    ) {
        let to = match self.own_lane(worker, from, holder, unsure) {
            Ok(lane) => lane,
            Err(error) => {
                caller.reply(&Reply::Errno(errno(&error)), None);
                return;
            }
        };
        let Some((lane, balancer)) = self.lanes.all.get(&to).map(|lane| (lane, lane.balancer)) else {
            return;
        };
        let told = caller.deliver(&Reply::Lane { lane: to.0 }, Some(lane.worker_end()));
        let Some(delivery) = told else { return self.abandon(to) };
        log::debug!("worker {}: process {} has a lane of its own", self.logical_id(worker), holder.pid);
        self.lanes.deliveries.push((to, delivery));
        self.input(Input::LaneOpened { lane: to, worker, balancer });
        self.input(Input::LaneShared { from, to });
    }

    fn own_lane(
        &mut self,
        worker: WorkerId,
        from: LaneId,
        holder: Holder,
        unsure: bool,
    ) -> io::Result<LaneId> {
        let refused = |error| Err(io::Error::from_raw_os_error(error));
        let Some(shared) = self.lanes.all.get(&from).filter(|lane| lane.worker == worker) else {
            return refused(libc::EBADF);
        };
        // It is its own: the process has executed another program since it listened, or put it elsewhere.
        if shared.holder.pid == holder.pid {
            return refused(libc::EINVAL);
        }
        let (balancer, inode) = (shared.balancer, shared.inode);
        let Some(process) = self.lives.process(worker) else { return refused(libc::EBADF) };
        let first = process.pid;
        if process.members.len() < MAX_ADOPTED {
            self.join_forked(worker, holder.pid);
        }
        let adopted =
            self.lanes.all.values().filter(|lane| lane.worker == worker && lane.holder.pid != first);
        if adopted.count() >= MAX_ADOPTED {
            return refused(libc::ENOBUFS);
        }
        if !self.another_waits(worker, balancer, holder.pid) {
            return refused(libc::EAGAIN);
        }
        // What one process changes in a set that is shared is changed for all; one that cannot be looked at may be.
        if unsure && epoll_sets::is_with_parent(holder.pid, &[inode]).unwrap_or(true) {
            return refused(libc::EBUSY);
        }
        let Some(address) = self.listeners.all.get(&balancer).map(|listener| listener.address) else {
            return refused(libc::EBADF);
        };
        self.open_lane(worker, holder, balancer, &address)
    }

    /// Another process of the worker waits for connections of this balancer at this very moment, in which the one that
    /// asks is in accept(): so they do not take turns by a lock, and each may be given what only it can take. One that has
    /// only watched so far, as a parent that forks a child for each connection, is none of those.
    fn another_waits(&self, worker: WorkerId, balancer: BalancerId, asks: u32) -> bool {
        let Some(process) = self.lives.process(worker) else { return false };
        let lanes =
            || self.lanes.all.values().filter(|lane| lane.worker == worker && lane.balancer == balancer);
        let inodes: Vec<u64> = lanes().map(|lane| lane.inode).collect();
        let waits = |pid: u32, look: PulseLook| match look.waits_on {
            Some(WaitsOn::Lanes(mask)) => lanes().any(|lane| mask.may_hold(lane.holder.fd)),
            Some(WaitsOn::Set(set)) => self.os.set_holds(pid, set, &inodes),
            None => false,
        };
        process.pulses.iter().filter(|pulse| pulse.pid != asks).any(|pulse| {
            // The page of a process that was killed in its wait says that it waits.
            process.pidfd_of(pulse.pid).is_some_and(|pidfd| !pidfd::has_ended(pidfd))
                && pulse.waiting().any(|look| (look.accepted > 0 || look.blocks) && waits(pulse.pid, look))
        })
    }
}

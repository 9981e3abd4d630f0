//! Lanes for processes that came by their worker's without listening: forked children, mostly. Each gets one of its own
//! and becomes a member of the worker; it is not told to stop, which is for its parent to do.

use super::Shell;
use super::requests::errno;
use crate::ids::{LaneId, WorkerId};
use crate::io::intercept::Answerer;
use crate::io::lane::Holder;
use crate::pool::Input;
use clustermon_protocol::message::Reply;
use std::io;

/// Most lanes of one worker's forked processes; more share what they came by.
const MAX_ADOPTED: usize = 256;

impl Shell {
    /// Answers a process that accepts from a lane which it did not get by listening.
    pub(super) fn adopt(&mut self, worker: WorkerId, from: LaneId, holder: Holder, caller: Answerer) {
        let to = match self.own_lane(worker, from, holder) {
            Ok(lane) => lane,
            Err(error) => {
                caller.reply(&Reply::Errno(errno(&error)), None);
                return;
            }
        };
        let Some((lane, balancer)) = self.lanes.get(&to).map(|lane| (lane, lane.balancer)) else { return };
        let told = caller.deliver(&Reply::Lane { lane: to.0 }, Some(lane.worker_end()));
        self.join_forked(worker, holder.pid);
        log::debug!("worker {}: process {} has a lane of its own", self.logical_id(worker), holder.pid);
        self.input(Input::LaneOpened { lane: to, worker, balancer });
        match told {
            Some(delivery) => {
                self.deliveries.push((to, delivery));
                self.input(Input::LaneShared { from, to });
            }
            None => self.input(Input::LaneClosed { lane: to }),
        }
    }

    fn own_lane(&mut self, worker: WorkerId, from: LaneId, holder: Holder) -> io::Result<LaneId> {
        let refused = |error| Err(io::Error::from_raw_os_error(error));
        let Some(shared) = self.lanes.get(&from).filter(|lane| lane.worker == worker) else {
            return refused(libc::EBADF);
        };
        // It is its own: the process has executed another program since it listened, or put it elsewhere.
        if shared.holder.pid == holder.pid {
            return refused(libc::EINVAL);
        }
        let (balancer, first) = (shared.balancer, self.processes.get(&worker).map(|process| process.pid));
        let of_others = |pid: u32| Some(pid) != first;
        let adopted = self.lanes.values().filter(|lane| lane.worker == worker && of_others(lane.holder.pid));
        if adopted.count() >= MAX_ADOPTED {
            return refused(libc::ENOBUFS);
        }
        let Some(address) = self.listeners.get(&balancer).map(|listener| listener.address) else {
            return refused(libc::EBADF);
        };
        self.open_lane(worker, holder, balancer, &address)
    }
}

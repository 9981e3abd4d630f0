//! What lies in a lane is taken back, and the lane is closed. What becomes of what was taken back is the core's to say.

use super::super::Shell;
use super::super::connections::giving::source_of;
use super::super::os::Os;
use crate::ids::LaneId;
use crate::io::lanes::credit::Credits;
use crate::io::lanes::lane::Lane;
use crate::pool::Input;
use mio::unix::SourceFd;
use std::os::fd::{AsFd, AsRawFd};

impl<O: Os> Shell<O> {
    pub(in crate::event_loop) fn take_back(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.all.get(&id) else { return };
        let balancer = lane.balancer;
        // Nobody else is to answer for a worker that is being tried.
        let tried = self.is_being_tried(lane.worker);
        // What cannot be taken back stays the worker's.
        let Some(lane) = self.lanes.all.get_mut(&id) else { return };
        let had_any = lane.waiting() > 0 || lane.open;
        lane.open = false;
        let (taken, _) = lane.take_back();
        // After the credit has ended: who begins to watch later finds that himself.
        let is_direct = lane.credits.as_ref().is_some_and(Credits::is_direct);
        if is_direct {
            // Its thread's wait watches the listening socket for as long as nobody says otherwise.
            lane.wake();
        }
        // A thread that was told of a credit must not block in accept() for it.
        if had_any && !(lane.takes_credit() && lane.is_nonblocking()) {
            lane.leave_void();
        }
        if !taken.is_empty() && tried {
            return self.try_elsewhere(id);
        }
        for connection in taken {
            let source = source_of(&connection.peer);
            let conn = self.connections.pending.insert(connection);
            self.pool.handle(self.now, Input::Returned { conn, balancer, source });
        }
    }

    /// Who still receives from the lane will find what is left in it, and who comes to it is woken by it.
    pub(in crate::event_loop) fn vacate(&mut self, id: LaneId) {
        self.take_back(id);
        if let Some(lane) = self.lanes.all.get(&id).filter(|lane| lane.waiting() == 0) {
            lane.leave_void();
        }
    }

    pub(in crate::event_loop) fn retire(&mut self, id: LaneId) {
        if self.datagrams.has_member(id) {
            return self.retire_datagrams(id);
        }
        let Some(lane) = self.lanes.all.remove(&id) else { return self.retire_member(id) };
        self.connections.releases.close(lane.ticket);
        let _ = self.poll.registry().deregister(&mut SourceFd(&lane.as_fd().as_raw_fd()));
        self.empty(lane);
    }

    /// Takes back what waits in a lane that is no more; what there is no descriptor for is left until there is one.
    fn empty(&mut self, mut lane: Lane) {
        let balancer = lane.balancer;
        // Nobody else is to answer for it.
        let tried = self.is_being_tried(lane.worker);
        let (taken, all) = lane.take_back();
        if let (Some(open), Some(credits)) = (&mut self.connections.open, lane.credits.take()) {
            open.ended(lane.worker, credits);
        }
        for connection in taken.into_iter().filter(|_| !tried) {
            let source = source_of(&connection.peer);
            let conn = self.connections.pending.insert(connection);
            self.pool.handle(self.now, Input::Returned { conn, balancer, source });
        }
        if !all {
            self.lanes.leftovers.push(lane);
            self.pause_for_descriptors();
        }
    }

    /// Tries again with lanes that could not be emptied.
    pub(in crate::event_loop) fn empty_leftovers(&mut self) {
        for lane in std::mem::take(&mut self.lanes.leftovers) {
            self.empty(lane);
            self.carry_out();
        }
    }
}

//! Lanes from their beginning to their end: opened, heard, taken back and closed, with what lies in them given back. What becomes of
//! that is the core's to say.

use super::super::Shell;
use super::super::connections::giving::{arm, source_of};
use super::super::os::Os;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::events::source::Source;
use crate::io::kernel::descriptors;
use crate::io::lanes::credit::Credits;
use crate::io::lanes::lane::{Garbage, Holder, Lane};
use crate::pool::Input;
use clustermon_protocol::address::Address;
use clustermon_protocol::record::Upward;
use mio::Interest;
use mio::unix::SourceFd;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// So much of what one worker says is heard in one turn.
const UPWARD_BUDGET: u32 = 64;

/// Descriptors that a lane takes: its two ends, its page, and perhaps a socket that listens.
const LANE_COST: usize = 4;
/// So many every worker may have, however few descriptors there are.
const LEAST_LANES: usize = 32;

impl<O: Os> Shell<O> {
    /// A lane that the core has yet to hear of, within what one worker may have.
    pub(in crate::event_loop) fn open_lane(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        balancer: BalancerId,
        address: &Address,
    ) -> io::Result<LaneId> {
        self.may_open_another(worker, holder, address)?;
        let id = LaneId(self.next_lane);
        self.next_lane += 1;
        let place = (worker, balancer, holder);
        let ticket = self.releases.open()?;
        let lane = Lane::new(
            id,
            self.nonce,
            address,
            place,
            ticket,
            self.config.settings.balancing.window(),
            self.record_cost,
        )
        .inspect_err(|_| self.releases.close(ticket))?;
        let fd = lane.as_fd().as_raw_fd();
        let source = Source::Lane(id).into();
        self.poll
            .registry()
            .register(&mut SourceFd(&fd), source, Interest::READABLE)
            .inspect_err(|_| self.releases.close(ticket))?;
        self.lanes.insert(id, lane);
        self.idle_lanes.opened(self.now);
        Ok(id)
    }

    /// An error where the worker has all the listeners that it may have.
    pub(in crate::event_loop) fn may_open_another(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        address: &Address,
    ) -> io::Result<()> {
        if self.os.are_descriptors_scarce(self.releases.as_fd()) {
            if let Some(hushed) = self.complaints.ask(self.now) {
                let (id, limit) = (self.logical_id(worker), descriptors::limit());
                log::error!(
                    "worker {id} cannot listen on {address}: of the {limit} descriptors that the supervisor may have \
                     the last are kept for connections; raise its limit (ulimit -n, LimitNOFILE=){hushed}"
                );
            }
            return Err(io::Error::from_raw_os_error(libc::ENFILE));
        }
        let most = self.share_of_one() / LANE_COST;
        let lanes = self.lanes.values().filter(|lane| lane.worker == worker).count();
        let count = lanes + self.steering.of(worker).count() + self.datagrams.of(worker).count();
        if count >= most.max(LEAST_LANES) {
            let what =
                format!("gets no lane for {address}: it has its share of the supervisor's descriptors");
            self.accuse_worker(worker, holder.pid, what);
            return Err(io::Error::from_raw_os_error(libc::ENFILE));
        }
        Ok(())
    }

    /// Forgets a lane that the core has not heard of.
    pub(in crate::event_loop) fn abandon(&mut self, id: LaneId) {
        if let Some(lane) = self.lanes.remove(&id) {
            self.releases.close(lane.ticket);
        }
    }

    /// Takes in what a worker says on its lane. One that goes on and on is heard further in the next turn.
    pub(in crate::event_loop) fn on_upward(&mut self, id: LaneId) {
        for _ in 0..UPWARD_BUDGET {
            let said = self.lanes.get(&id).and_then(|lane| Some((lane.next_upward()?, lane)));
            let Some((upward, Lane { worker, balancer, holder, .. })) = said else { return };
            let (worker, pid) = (*worker, holder.pid);
            if !matches!(upward, Ok(Upward::Ring | Upward::Nonblock(_))) {
                self.timers.changed();
            }
            match upward {
                Ok(Upward::Nonblock(on)) => {
                    if let Some(listener) = self.listeners.get_mut(balancer) {
                        listener.nonblock = on;
                    }
                }
                Ok(Upward::Shut) => self.input(Input::LaneClosed { lane: id }),
                Ok(Upward::Waits) => {
                    self.on_waits(id);
                    self.carry_out();
                }
                Ok(Upward::Barred(errno)) => self.on_barred(worker, pid, errno),
                Ok(Upward::Lost) => {
                    let what = "lost a connection: its table of descriptors was full";
                    self.accuse_worker(worker, pid, what);
                }
                Ok(word) => {
                    self.on_credit_word(id, word);
                }
                Err(Garbage) => self.accuse_worker(worker, pid, "sends garbage on its lane"),
            }
        }
        if let Some(lane) = self.lanes.get(&id) {
            // Registering anew reports what is still there.
            let _ = arm(&self.poll, id, lane, lane.armed);
        }
    }

    pub(in crate::event_loop) fn take_back(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get(&id) else { return };
        let balancer = lane.balancer;
        // Nobody else is to answer for a worker that is being tried.
        let tried = self.is_being_tried(lane.worker);
        // What cannot be taken back stays the worker's.
        let Some(lane) = self.lanes.get_mut(&id) else { return };
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
            let conn = self.pending.insert(connection);
            self.pool.handle(self.now, Input::Returned { conn, balancer, source });
        }
    }

    /// Who still receives from the lane will find what is left in it, and who comes to it is woken by it.
    pub(in crate::event_loop) fn vacate(&mut self, id: LaneId) {
        self.take_back(id);
        if let Some(lane) = self.lanes.get(&id).filter(|lane| lane.waiting() == 0) {
            lane.leave_void();
        }
    }

    pub(in crate::event_loop) fn retire(&mut self, id: LaneId) {
        if self.datagrams.has_member(id) {
            return self.retire_datagrams(id);
        }
        let Some(lane) = self.lanes.remove(&id) else { return self.retire_member(id) };
        self.releases.close(lane.ticket);
        let _ = self.poll.registry().deregister(&mut SourceFd(&lane.as_fd().as_raw_fd()));
        self.empty(lane);
    }

    /// Takes back what waits in a lane that is no more; what there is no descriptor for is left until there is one.
    fn empty(&mut self, mut lane: Lane) {
        let balancer = lane.balancer;
        // Nobody else is to answer for it.
        let tried = self.is_being_tried(lane.worker);
        let (taken, all) = lane.take_back();
        if let (Some(open), Some(credits)) = (&mut self.open, lane.credits.take()) {
            open.ended(lane.worker, credits);
        }
        for connection in taken.into_iter().filter(|_| !tried) {
            let source = source_of(&connection.peer);
            let conn = self.pending.insert(connection);
            self.pool.handle(self.now, Input::Returned { conn, balancer, source });
        }
        if !all {
            self.leftovers.push(lane);
            self.pause_for_descriptors();
        }
    }

    /// Tries again with lanes that could not be emptied.
    pub(in crate::event_loop) fn empty_leftovers(&mut self) {
        for lane in std::mem::take(&mut self.leftovers) {
            self.empty(lane);
            self.carry_out();
        }
    }
}

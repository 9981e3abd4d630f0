//! Lanes are opened, each within what its worker may have of the supervisor's descriptors. Who is to have one is not decided here.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::events::source::Source;
use crate::io::kernel::descriptors;
use crate::io::lanes::lane::{Holder, Lane};
use clustermon_protocol::address::Address;
use mio::Interest;
use mio::unix::SourceFd;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

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
        let id = self.lanes.name_another();
        let place = (worker, balancer, holder);
        let ticket = self.connections.releases.open()?;
        let lane = Lane::new(
            id,
            self.launching.nonce,
            address,
            place,
            ticket,
            self.config.settings.balancing.window(),
            self.lanes.record_cost,
        )
        .inspect_err(|_| self.connections.releases.close(ticket))?;
        let fd = lane.as_fd().as_raw_fd();
        let source = Source::Lane(id).into();
        self.poll
            .registry()
            .register(&mut SourceFd(&fd), source, Interest::READABLE)
            .inspect_err(|_| self.connections.releases.close(ticket))?;
        self.lanes.all.insert(id, lane);
        self.lanes.idle.opened(self.now);
        Ok(id)
    }

    /// An error where the worker has all the listeners that it may have.
    pub(in crate::event_loop) fn may_open_another(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        address: &Address,
    ) -> io::Result<()> {
        if self.os.are_descriptors_scarce(self.connections.releases.as_fd()) {
            if let Some(hushed) = self.requests.complaints.ask(self.now) {
                let (id, limit) = (self.logical_id(worker), descriptors::limit());
                log::error!(
                    "worker {id} cannot listen on {address}: of the {limit} descriptors that the supervisor may have \
                     the last are kept for connections; raise its limit (ulimit -n, LimitNOFILE=){hushed}"
                );
            }
            return Err(io::Error::from_raw_os_error(libc::ENFILE));
        }
        let most = self.share_of_one() / LANE_COST;
        let lanes = self.lanes.all.values().filter(|lane| lane.worker == worker).count();
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
        if let Some(lane) = self.lanes.all.remove(&id) {
            self.connections.releases.close(lane.ticket);
        }
    }
}

//! The part of the pool that knows balancers whose connections the kernel deals out: the rotation is the list of those that it may choose,
//! and the shell is told when it has changed. No connection passes through here.

use super::Output;
use super::pool::Pool;
use crate::ids::{BalancerId, LaneId};

impl Pool {
    /// A new address where each lane is a listening socket of its worker's.
    pub(super) fn group_opened(&mut self, id: BalancerId) {
        let is_new = !self.balancers.contains_key(&id);
        self.balancer_opened(id, false);
        if let Some(balancer) = self.balancers.get_mut(&id).filter(|_| is_new) {
            balancer.steered = true;
        }
    }

    /// So many wait at the socket of the lane, for its worker alone.
    pub(super) fn queued_at(&mut self, id: LaneId, waiting: u32) {
        if let Some(lane) = self.lanes.get_mut(&id).filter(|_| waiting > 0) {
            lane.is_waited_at();
        }
    }

    /// The shell is told of rotations that have changed, once for all that has happened in one input.
    pub(super) fn tell_steering(&mut self) {
        for (&id, balancer) in self.balancers.iter_mut().filter(|(_, balancer)| balancer.steered) {
            if std::mem::take(&mut balancer.has_changed) {
                self.outbox.push_back(Output::Steer { balancer: id });
            }
        }
    }
}

//! The part of the pool that knows balancers whose connections the kernel deals out: the rotation is the list of those that it may choose,
//! and the shell is told when it has changed. No connection passes through here.

use super::pool::Pool;
use super::{Output, Route};
use crate::ids::LaneId;

impl Pool {
    /// So many wait at the socket of the lane, for its worker alone.
    pub(super) fn queued_at(&mut self, id: LaneId, waiting: u32) {
        if let Some(lane) = self.lanes.get_mut(&id).filter(|_| waiting > 0) {
            lane.is_waited_at();
        }
    }

    /// The shell is told of rotations that have changed, once for all that has happened in one input.
    pub(super) fn tell_steering(&mut self) {
        for (&id, balancer) in
            self.balancers.iter_mut().filter(|(_, balancer)| balancer.route() == Route::Kernel)
        {
            if std::mem::take(&mut balancer.has_changed) {
                #[cfg(any(test, debug_assertions))]
                {
                    balancer.told = balancer.rotation().collect();
                }
                self.outbox.push_back(Output::Steer { balancer: id });
            }
        }
    }
}

//! How members end: what waits in the queue of a worker that is gone moves to others, or waits for the next one. Nothing is reset while
//! somebody may come who takes it.

use super::super::Shell;
use super::super::os::Os;
use super::Steering;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::steering::group::Group;
use crate::io::steering::member::Member;
use std::time::Duration;

/// A handshake that has begun ends within this, or fails.
const HANDSHAKE: Duration = Duration::from_secs(1);

impl<O: Os> Shell<O> {
    /// No process has the socket any more, or its worker is gone.
    pub(in crate::event_loop) fn retire_member(&mut self, id: LaneId) {
        let Some(member) = self.steering.members.remove(&id) else { return };
        let balancer = member.balancer;
        let Some(group) = self.steering.groups.get_mut(&balancer) else { return };
        if !group.is_split() {
            return;
        }
        match member.waiting() {
            None => {
                // It was shut down by whoever had it.
                group.leave(id);
            }
            Some(waiting) => {
                if waiting > 0 && !group.migrates() {
                    let address =
                        self.listeners.all.get(&balancer).map(|listener| listener.address.to_string());
                    let address = address.unwrap_or_default();
                    log::info!("{address}: {waiting} connections wait for the worker that comes next");
                }
                self.steering.orphans.insert(id, member);
            }
        }
        // First nothing more is to come to it.
        self.steer(balancer);
    }

    /// Closes sockets that no process has, where nothing is lost by that.
    pub(super) fn settle_orphans(&mut self, balancer: BalancerId) {
        let Steering { groups, orphans, .. } = &mut self.steering;
        let Some(group) = groups.get_mut(&balancer) else { return };
        let own = |member: &Member| member.balancer == balancer;
        let mut left = orphans.values().filter(|member| own(member)).count();
        orphans.retain(|id, member| {
            if !own(member) {
                return true;
            }
            // Somebody has to be there for whoever connects, though no worker is.
            let others = group.has_live() || left > 1;
            let is_free = group.migrates() || member.is_empty().unwrap_or(false);
            if !(others && is_free) {
                return true;
            }
            // The queue moves with this.
            member.shut();
            group.leave(*id);
            left -= 1;
            false
        });
    }

    /// As [`Shell::settle_orphans`] at all addresses.
    pub(super) fn settle_all_orphans(&mut self) {
        let mut balancers: Vec<BalancerId> =
            self.steering.orphans.values().map(|member| member.balancer).collect();
        balancers.dedup();
        for balancer in balancers {
            self.settle_orphans(balancer);
        }
    }

    /// A client of a worker that gets nothing more may still be in its handshake. Where queues move that client loses nothing.
    pub(in crate::event_loop) fn may_still_come(&self, worker: WorkerId) -> bool {
        self.steering.of(worker).any(|(_, member)| {
            let Some(group) = self.steering.groups.get(&member.balancer) else { return false };
            let is_recent =
                member.out_since.is_some_and(|since| self.now.saturating_duration_since(since) < HANDSHAKE);
            // What cannot be told is not taken for no.
            group.is_split() && !group.migrates() && is_recent && !member.is_empty().unwrap_or(false)
        })
    }

    /// Others can be given what waits for the worker.
    pub(in crate::event_loop) fn may_move_queue(&self, worker: WorkerId) -> bool {
        let stays = |group: &Group| group.is_split() && !group.migrates();
        !self.steering.of(worker).any(|(_, member)| self.steering.group(member.balancer).is_some_and(stays))
    }

    /// Somebody waits in a queue that is the worker's alone.
    pub(in crate::event_loop) fn has_queue(&self, worker: WorkerId) -> bool {
        self.steering.of(worker).any(|(_, member)| {
            let is_split = self.steering.group(member.balancer).is_none_or(Group::is_split);
            is_split && member.waiting().is_some_and(|waiting| waiting > 0)
        })
    }

    /// The address is no longer the cluster's. What its workers have of it they keep until they end.
    pub(in crate::event_loop) fn close_group(&mut self, balancer: BalancerId) {
        let Some(group) = self.steering.groups.remove(&balancer) else { return };
        group.refuse(true);
        self.steering.orphans.retain(|_, member| {
            let is_other = member.balancer != balancer;
            if !is_other {
                member.shut();
            }
            is_other
        });
    }
}

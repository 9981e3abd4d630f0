//! Open credits: the right to accept until the queue is empty. They are given to all lanes that may have one, and end by themselves, or
//! where a lane has no descriptor left or does not move.

use crate::ids::{BalancerId, LaneId};
use crate::pool::balancers::covered::is_idle;
use crate::pool::lanes::status::{Eligibility, LaneState};
use crate::pool::{Lane, Output, Policy, Pool};
use std::time::{Duration, Instant};

/// A process that had no descriptor left has no open credit for so long.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// Nor has a lane by which open credits have stalled.
const STALLED: Duration = Duration::from_secs(1);
/// So often may a lane with an open credit take nothing though its queue is not empty; then it gets singles for a while.
const MOST_STALLS: u8 = 2;

impl Pool {
    /// Opens credits for lanes that have none and take what they may, idle ones first and then the least recently connected, to no
    /// more than wait in the queue. Returns how many.
    pub(super) fn open_some(&mut self, now: Instant, id: BalancerId, waiting: u32) -> usize {
        // What is held goes first, and to a lane without an open credit.
        if self.balancers.get(&id).is_none_or(|balancer| balancer.held() > 0) {
            return 0;
        }
        let fits = |lane: &&mut Lane| {
            lane.balancer() == id
                && lane.credit
                && lane.may_open
                // A thread with an open credit takes from the queue for as long as there is something.
                && !lane.holds_connection()
                && !lane.open
                && !lane.rests
                && !lane.one_by_one
                && lane.singles_until.is_none_or(|until| until <= now)
                && lane.eligibility == Eligibility::Open
                && matches!(lane.state, LaneState::Ready | LaneState::Full)
        };
        let mut chosen: Vec<((bool, u64), LaneId)> = Vec::new();
        for (&lane_id, lane) in &mut self.lanes {
            if fits(&lane) {
                chosen.push(((!is_idle(now, lane), lane.turn), lane_id));
            }
        }
        chosen.sort_unstable();
        chosen.truncate(waiting as usize);
        let is_first = !self.lanes.values().any(|lane| lane.balancer() == id && (lane.open || lane.rests));
        if is_first && !chosen.is_empty() {
            self.storm_begins(now, id);
        }
        let Some(balancer) = self.balancers.get_mut(&id) else { return 0 };
        for &(_, lane_id) in &chosen {
            let Some(lane) = self.lanes.get_mut(&lane_id) else { continue };
            if lane.is_ready() {
                balancer.leave(lane_id);
            }
            (lane.open, lane.direct) = (true, false);
            self.outbox.push_back(Output::Open { lane: lane_id });
        }
        if !chosen.is_empty() {
            balancer.queue.moved = Some(now);
        }
        chosen.len()
    }

    /// The lane's worker has found the queue empty.
    pub(in crate::pool) fn shut(&mut self, now: Instant, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id).filter(|lane| lane.open) else { return };
        lane.open = false;
        lane.stalls = 0;
        lane.granted_at = Some(now);
        let Some(balancer) = self.balancers.get_mut(&lane.balancer()) else { return };
        lane.turn = balancer.last_turn();
        if lane.is_ready() {
            balancer.enter(id, lane);
        }
        self.pump_held(now, id);
    }

    /// The lane's process had no descriptor left: it comes after all others, and is given one at a time for a while.
    pub(in crate::pool) fn exhausted(&mut self, now: Instant, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let Some(balancer) = self.balancers.get_mut(&lane.balancer()) else { return };
        lane.gets_singles(now, EXHAUSTED);
        let is_ready = lane.is_ready();
        if is_ready {
            balancer.leave(id);
        }
        lane.turn = balancer.last_turn();
        if is_ready {
            balancer.enter(id, lane);
        }
        // It may have been waited for how much there is in it.
        let balancer = balancer.id();
        self.pump(now, balancer);
    }

    /// An open credit that did not move, though somebody waits in the queue and its thread sleeps in its wait, is given anew,
    /// which wakes the thread again; the second time singles are given instead, for a while.
    pub(in crate::pool) fn stalled(&mut self, now: Instant, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id).filter(|lane| lane.open) else { return };
        lane.stalls += 1;
        if lane.stalls >= MOST_STALLS {
            lane.stalls = 0;
            lane.gets_singles(now, STALLED);
        }
        let balancer = lane.balancer();
        self.revoke(now, id);
        // It has room for what is held.
        self.pump(now, balancer);
    }

    /// Where the number of connections matters, each is counted when it is allowed.
    pub(super) fn open_fits(&self) -> bool {
        self.settings.balancing.max_connections.is_none()
            && self.settings.balancing.policy == Policy::RoundRobin
    }
}

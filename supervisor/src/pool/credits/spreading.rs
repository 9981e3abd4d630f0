//! Evens out what workers take while all have open credits: who is far ahead rests for a moment, or waits behind the others. It
//! costs no rate, because a rest ends at once where the others do not get the queue shorter without it.

use crate::ids::{BalancerId, LaneId};
use crate::pool::balancers::queue::{LOOK, Spread};
use crate::pool::lanes::lane::Storm;
use crate::pool::vocabulary::deadlines::after;
use crate::pool::{Lane, Output, Pool};
use std::time::Instant;

/// After a rest that was of no use so many comparisons have no consequence, and twice as many after each further one,
const SKIP: u32 = 4;
/// up to so many doublings.
const MOST_DOUBLED: u32 = 6;

impl Pool {
    /// The first open credit after a time without: what was taken before does not count.
    pub(super) fn storm_begins(&mut self, now: Instant, id: BalancerId) {
        for lane in self.lanes.values_mut().filter(|lane| lane.balancer() == id) {
            lane.storm = Storm::default();
        }
        if let Some(balancer) = self.balancers.get_mut(&id) {
            balancer.queue.spread = Spread { next: Some(after(now, LOOK)), ..Spread::default() };
        }
    }

    /// Compares the lanes of the balancer when it is time to, and ends rests that are of no use.
    pub(super) fn spread(&mut self, now: Instant, id: BalancerId, waiting: u32) {
        let own = |lane: &&Lane| lane.balancer() == id;
        let rests = self.lanes.values().filter(own).any(|lane| lane.rests);
        let found_nothing =
            || self.lanes.values().filter(own).any(|lane| lane.may_take() && !lane.open && !lane.rests);
        if waiting == 0 || rests && found_nothing() {
            self.end_rests(now, id);
        }
        let Some(balancer) = self.balancers.get_mut(&id) else { return };
        if balancer.queue.spread.next.is_none_or(|at| at > now) {
            return;
        }
        balancer.queue.spread.next = Some(after(now, LOOK));
        let least = self.least(id);
        self.put_behind(id, least);
        if waiting > 0 {
            self.give_rests(now, id, waiting, least);
        }
    }

    /// The fewest that any lane has taken which takes some.
    fn least(&self, id: BalancerId) -> Option<u64> {
        let moves = |lane: &&Lane| lane.balancer() == id && lane.open && lane.storm.taken != lane.storm.seen;
        self.lanes.values().filter(moves).map(|lane| lane.storm.taken).min()
    }

    /// Who is far ahead and waits at the queue itself does so anew, behind the others: the kernel wakes whoever has waited there for
    /// longest.
    fn put_behind(&mut self, id: BalancerId, least: Option<u64>) {
        for (&lane_id, lane) in self.lanes.iter_mut().filter(|(_, lane)| lane.balancer() == id) {
            if lane.open && lane.direct && lane.storm.is_far_from(least) {
                lane.direct = false;
                self.outbox.push_back(Output::TakeBack { lane: lane_id });
                self.outbox.push_back(Output::Open { lane: lane_id });
                lane.storm.seen = lane.storm.taken;
            }
        }
    }

    fn give_rests(&mut self, now: Instant, id: BalancerId, waiting: u32, least: Option<u64>) {
        let rests = self.lanes.values().any(|lane| lane.balancer() == id && lane.rests);
        let Some(balancer) = self.balancers.get_mut(&id) else { return };
        let spread = &mut balancer.queue.spread;
        let before = std::mem::replace(&mut spread.waiting, waiting);
        if rests && waiting >= before {
            // The longer it goes on like this, the more seldom it is tried.
            spread.useless = spread.useless.saturating_add(1);
            spread.skip = SKIP << spread.useless.min(MOST_DOUBLED);
            return self.end_rests(now, id);
        }
        if rests {
            spread.useless = 0;
        }
        spread.skip = spread.skip.saturating_sub(1);
        let may_rest = spread.skip == 0;
        let mut ended = Vec::new();
        let mut any_rests = false;
        for (&lane_id, lane) in self.lanes.iter_mut().filter(|(_, lane)| lane.balancer() == id) {
            let is_far = lane.storm.is_far_from(least);
            if may_rest && lane.open && !lane.direct && is_far && lane.storm.seen != lane.storm.taken {
                (lane.open, lane.rests) = (false, true);
                self.outbox.push_back(Output::TakeBack { lane: lane_id });
                any_rests = true;
            } else if lane.rests {
                ended.push(lane_id);
            }
            lane.storm.seen = lane.storm.taken;
        }
        ended.into_iter().for_each(|lane| self.end_rest(now, lane));
        if any_rests {
            self.look_again(id);
        }
    }

    fn end_rests(&mut self, now: Instant, id: BalancerId) {
        let rests = |lane: &Lane| lane.balancer() == id && lane.rests;
        let resting: Vec<LaneId> =
            self.lanes.iter().filter(|(_, lane)| rests(lane)).map(|(id, _)| *id).collect();
        resting.into_iter().for_each(|lane| self.end_rest(now, lane));
    }

    fn end_rest(&mut self, now: Instant, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.rests = false;
        // It was not idle: it has what it took before.
        lane.granted_at = Some(now);
        if lane.is_ready()
            && let Some(balancer) = self.balancers.get_mut(&lane.balancer())
        {
            balancer.enter(id, lane);
        }
    }
}

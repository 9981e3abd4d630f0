//! When workers are behind, or traffic is steady, and for how long: then open credits are given to all, and nobody is told of single
//! connections. It decides by counts, and gives no credit itself.

use crate::ids::{BalancerId, LaneId};
use crate::pool::balancers::covered::Covered;
use crate::pool::balancers::queue::DEEP;
use crate::pool::balancers::steady::SILENCE;
use crate::pool::vocabulary::deadlines::after;
use crate::pool::{Balancer, Lane, Output, Pool};
use std::time::{Duration, Instant};

/// After workers were found to be behind, open credits are given for so long without looking who is idle.
const STORM: Duration = Duration::from_millis(5);
/// Workers that wait at the queue itself keep up if they find it empty as often as this many times for each `KEPT_UP.1` connections.
const KEPT_UP: (u64, u64) = (9, 10);
/// Steady traffic goes by turns again for a moment each second, which shows who does not take what it is told of.
const LASTS: Duration = Duration::from_secs(1);

impl Pool {
    /// The lane's worker waits at the queue itself, and has found it empty so often.
    pub(in crate::pool) fn direct(&mut self, id: LaneId, empty: u32) {
        let Some(lane) = self.lanes.get_mut(&id).filter(|lane| lane.open) else { return };
        lane.direct = true;
        if let Some(balancer) = self.balancers.get_mut(&lane.balancer()) {
            balancer.queue.storm.empty += u64::from(empty);
        }
    }

    /// Workers do not keep up, or did not a moment ago: to tell each of a connection would be slower than to let them accept.
    pub(super) fn is_storm(
        &mut self,
        now: Instant,
        id: BalancerId,
        waiting: u32,
        is_behind: bool,
        covered: Covered,
    ) -> bool {
        let Some(balancer) = self.balancers.get_mut(&id) else { return false };
        let accepted = balancer.dispatched();
        let storm = &mut balancer.queue.storm;
        let mut goes_on = is_behind;
        if covered.is_hushed() {
            let taken = accepted.saturating_sub(std::mem::replace(&mut storm.accepted, accepted));
            let empty = std::mem::take(&mut storm.empty);
            storm.stands = taken == 0 && waiting > 0;
            let steady = &mut balancer.queue.steady;
            if steady.has_lasted(now, covered.takers, &self.settings) {
                storm.until = None;
                return false;
            }
            // Who takes one in each round never finds the queue empty.
            let keeps_up = steady.is_on() || empty * KEPT_UP.1 >= taken * KEPT_UP.0;
            if waiting >= DEEP {
                steady.end();
            }
            goes_on |= waiting >= DEEP || taken >= u64::from(covered.takers * DEEP) && !keeps_up;
            goes_on |= steady.is_on() && taken > 0;
            storm.may_be_missed |= steady.is_on() && storm.stands;
            if !goes_on && taken > 0 && covered.shutting == 0 && covered.rests == 0 {
                goes_on = self.steady_begins(now, id);
            }
        }
        let Some(balancer) = self.balancers.get_mut(&id) else { return false };
        let storm = &mut balancer.queue.storm;
        if goes_on {
            storm.until = Some(after(now, if balancer.queue.steady.is_on() { SILENCE } else { STORM }));
        }
        let is_storm = storm.until.is_some_and(|until| now < until);
        if !is_storm {
            balancer.queue.steady.fades(&self.settings);
        }
        is_storm
    }

    /// So many wait. Of workers that wait at the queue the kernel wakes one for each connection; if it may have woken one that may accept
    /// no more, others are woken instead.
    pub(super) fn wake_instead(&mut self, id: BalancerId, waiting: u32) {
        let Some(balancer) = self.balancers.get_mut(&id) else { return };
        if !std::mem::take(&mut balancer.queue.storm.may_be_missed) {
            return;
        }
        let of_it = |lane: &Lane| lane.balancer() == id && lane.open && lane.direct;
        let waits = self.lanes.iter().filter(|(_, lane)| of_it(lane)).take(waiting as usize);
        for (&lane, _) in waits {
            self.outbox.push_back(Output::Wake { lane });
        }
    }

    /// Workers keep up again: those that do not shut their open credits have them no longer.
    pub(super) fn end_direct(&mut self, now: Instant, id: BalancerId) {
        let of_it = |lane: &Lane| lane.balancer() == id && lane.open && lane.direct;
        let ended: Vec<LaneId> =
            self.lanes.iter().filter(|(_, lane)| of_it(lane)).map(|(id, _)| *id).collect();
        for lane_id in ended {
            let Some(lane) = self.lanes.get_mut(&lane_id) else { continue };
            (lane.open, lane.direct) = (false, false);
            let Some(balancer) = self.balancers.get_mut(&id) else { return };
            lane.turn = balancer.last_turn();
            let look = lane.yield_up(now, &self.settings);
            if lane.is_ready() {
                balancer.enter(lane_id, lane);
            }
            self.look_at(look);
            self.outbox.push_back(Output::TakeBack { lane: lane_id });
        }
    }

    /// It begins here and now, if traffic has been steady, and everybody can wait at the queue itself.
    pub(super) fn steady_begins(&mut self, now: Instant, id: BalancerId) -> bool {
        let is_due =
            |balancer: &Balancer| balancer.queue.steady.is_due(&self.settings) && balancer.held() == 0;
        if !self.balancers.get(&id).is_some_and(is_due) || !self.open_fits() || !self.all_may_watch(id) {
            return false;
        }
        if let Some(balancer) = self.balancers.get_mut(&id) {
            balancer.queue.steady.until = Some(after(now, LASTS));
        }
        true
    }

    /// Whoever may take from the balancer can wait at the queue itself, and nobody is out of rotation whom only turns bring back.
    fn all_may_watch(&self, id: BalancerId) -> bool {
        let mut any = false;
        for lane in self.lanes.values().filter(|lane| lane.balancer() == id) {
            if lane.may_take() {
                any = true;
                if !(lane.credit && lane.may_open && lane.may_watch) || lane.one_by_one || lane.rests {
                    return false;
                }
            } else if lane.is_out() {
                return false;
            }
        }
        any
    }

    /// Those who have open credits are told whether they take one in each round.
    pub(super) fn tell_pace(&mut self, id: BalancerId) {
        let Some(balancer) = self.balancers.get(&id) else { return };
        let one_each = balancer.queue.steady.is_on();
        for (&lane_id, lane) in self.lanes.iter_mut().filter(|(_, lane)| lane.balancer() == id && lane.open) {
            if lane.one_each != one_each {
                lane.one_each = one_each;
                self.outbox.push_back(Output::Pace { lane: lane_id, one_each });
            }
        }
    }
}

//! The part of the pool that hears how many wait in the queue of a balancer's socket, and gives credits for those that nobody covers. It
//! orders the looks at the queue and reads none itself.

use crate::ids::{BalancerId, LaneId};
use crate::pool::balancers::covered::{Covered, is_late};
use crate::pool::balancers::queue::{DEEP, LATE, LOOK};
use crate::pool::lanes::status::LaneState;
use crate::pool::vocabulary::deadlines::after;
use crate::pool::{BalancerState, Deadline, Lane, Output, Policy, Pool, Route, Timer};
use std::time::{Duration, Instant};

/// Unless its thread has been woken and has yet to get a processor, for so long at most: another's would have to wait for one, too.
const WOKEN: Duration = Duration::from_millis(20);

impl Pool {
    /// So many wait in the queue. Credits are given for those that are not yet covered by one.
    pub(in crate::pool) fn queued(&mut self, now: Instant, id: BalancerId, waiting: u32) {
        if let Some(balancer) =
            self.balancers.get_mut(&id).filter(|balancer| balancer.route() == Route::Kernel)
        {
            balancer.queue.waiting = waiting;
            return;
        }
        if !self.wants_queue(id) {
            return;
        }
        let mut covered = Covered::of(now, id, &self.lanes);
        if covered.opened + covered.rests > 0 {
            self.spread(now, id, waiting);
            covered = Covered::of(now, id, &self.lanes);
        }
        if covered.is_any_late && waiting > 0 {
            self.count_late(now, id);
        }
        let Some(balancer) = self.balancers.get_mut(&id) else { return };
        let opened = covered.opened > 0;
        let is_moving = balancer.queue.moved.is_some_and(|moved| now < after(moved, LATE));
        // Who has an open credit is about to take a short queue, or to find it empty.
        let left = match waiting {
            0 => 0,
            1 if opened && is_moving => 0,
            _ => waiting.saturating_sub(covered.singles),
        };
        balancer.forget_queue();
        balancer.queue.queued = left;
        balancer.queue.waiting = waiting;
        balancer.queue.has_joined = false;
        // This is the look that was ordered.
        self.outbox.retain(|order| *order != Output::LookAtQueue { balancer: id });
        let accepted = balancer.dispatched();
        balancer.queue.steady.saw(now, accepted);
        let is_behind = left > 0 && waiting >= DEEP && !covered.any_idle;
        let is_storm = self.is_storm(now, id, waiting, is_behind, covered);
        self.wake_instead(id, waiting);
        if !is_storm && covered.opened > 0 {
            self.end_direct(now, id);
        }
        if covered.opened + covered.rests + covered.singles == 0 && self.steady_begins(now, id) {
            self.open_some(now, id, u32::MAX);
        } else if left > 0
            && is_storm
            && self.open_fits()
            && self.open_some(now, id, waiting) > 0
            && let Some(balancer) = self.balancers.get_mut(&id)
        {
            balancer.forget_queue();
        }
        self.tell_pace(id);
        let may_give =
            left > 0 && self.balancers.get(&id).is_some_and(|balancer| !balancer.rotation.is_empty());
        self.pump(now, id);
        if left > 0 {
            self.watch_full(id);
        }
        // What is given now may be late by then, and what is open may not move. What else changes is told.
        let stands = self.balancers.get(&id).is_some_and(|balancer| balancer.queue.storm.stands);
        // Who waits at the queue itself is woken by the kernel.
        let is_quick = covered.shutting > 0 || stands || !covered.is_hushed();
        let soon = (waiting > 0 && is_quick && (opened || may_give)).then(|| after(now, LATE));
        if let Some(at) = covered.late_at.filter(|_| waiting > 0).into_iter().chain(soon).min() {
            self.look_at_queue(id, at);
        }
        // While all have open credits nobody tells of arrivals; and who waits at the queue itself, or is about to, does not tell that it is
        // over.
        if self.lanes.values().any(|lane| lane.balancer() == id && lane.open) {
            let is_steady = self.balancers.get(&id).is_some_and(|balancer| balancer.queue.steady.is_on());
            self.look_at_queue(id, after(now, if is_steady { LATE } else { LOOK }));
        }
    }

    fn count_late(&mut self, now: Instant, id: BalancerId) {
        let Some(balancer) = self.balancers.get_mut(&id) else { return };
        for lane in self.lanes.values_mut().filter(|lane| lane.balancer() == id && !lane.is_late) {
            lane.is_late = is_late(now, lane);
            balancer.queue.late += u64::from(lane.is_late);
        }
    }

    /// More wait than there are credits for: the first that uses one sends word.
    fn watch_full(&mut self, id: BalancerId) {
        // By this policy what is not given out may be for them.
        let is_more = self.balancers.get(&id).is_some_and(|balancer| balancer.queue.queued > 0);
        if !is_more && self.settings.balancing.policy != Policy::LeastConnections {
            return;
        }
        for (&lane_id, lane) in self.lanes.iter().filter(|(_, lane)| lane.balancer() == id) {
            if lane.state == LaneState::Full && lane.may_take() && !lane.open && !lane.rests {
                self.outbox.push_back(Output::Watch { lane: lane_id });
            }
        }
    }

    /// Something that was given for the balancer's queue may be no longer: the queue is looked at anew.
    pub(in crate::pool) fn look_again(&mut self, id: BalancerId) {
        if let Some(balancer) = self.balancers.get_mut(&id).filter(|balancer| balancer.is_by_credit()) {
            balancer.forget_queue();
            balancer.queue.storm.right_ended();
            self.outbox.push_back(Output::LookAtQueue { balancer: id });
        }
    }

    /// Queues whose time has come are looked at.
    pub(in crate::pool) fn queue_timers(&mut self, now: Instant) {
        for (&id, balancer) in &mut self.balancers {
            if balancer.queue.look.is_some_and(|at| at <= now) {
                balancer.queue.look = None;
                self.outbox.push_back(Output::LookAtQueue { balancer: id });
            }
        }
    }

    fn look_at_queue(&mut self, id: BalancerId, at: Deadline) {
        // An earlier look stays, and finds out that nothing is to be done.
        if let Some(balancer) = self.balancers.get_mut(&id)
            && balancer.queue.look.is_none_or(|look| at < look)
        {
            balancer.queue.look = Some(at);
            self.deadlines.lower(at, Timer::Queue);
        }
    }

    /// Every lane that may take from the balancer has an open credit: nobody need hear of what arrives.
    pub(crate) fn is_hushed(&self, id: BalancerId) -> bool {
        let mut any = false;
        for lane in self.lanes.values().filter(|lane| lane.balancer() == id && lane.may_take()) {
            if !lane.open && !lane.rests {
                return false;
            }
            any |= lane.open;
        }
        any
    }

    /// What waits in the balancer's queue is given out by credit now.
    pub(crate) fn wants_queue(&self, id: BalancerId) -> bool {
        self.balancers.get(&id).is_some_and(|balancer| {
            balancer.is_by_credit() && !balancer.refusing && balancer.state == BalancerState::Running
        })
    }

    /// The lane's thread is not late by itself: it waits for a processor.
    pub(in crate::pool) fn woken(&mut self, now: Instant, id: LaneId) {
        if let Some(lane) = self.lanes.get_mut(&id)
            && lane.waiting_since().is_some_and(|since| now < after(since, WOKEN))
        {
            lane.woken_until = Some(after(now, LATE));
        }
    }

    /// Singles of the balancer's lanes that are late now, and not by far: whether their threads have been woken is to be told before the queue is
    /// looked at.
    pub(crate) fn late_lanes(&self, now: Instant, id: BalancerId) -> impl Iterator<Item = LaneId> + '_ {
        let is_recent =
            move |lane: &Lane| lane.waiting_since().is_some_and(|since| now < after(since, WOKEN));
        let of_it = move |lane: &Lane| lane.balancer() == id && is_late(now, lane) && is_recent(lane);
        let lanes = self.lanes.iter().filter(move |(_, lane)| of_it(lane));
        lanes.map(|(id, _)| *id)
    }
}

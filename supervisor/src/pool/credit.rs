//! Credits: the right of a worker to accept by itself from a balancer's queue, which the core only counts. It decides who may
//! accept next, and touches no connection: those are the kernel's until a worker takes them.
//!
//! A *single* allows one accept and goes by the rotation. While workers keep up there is nothing else. An *open* credit allows
//! accepting until the queue is empty; such are given once no worker is idle and the queue is two or more deep, and for a moment
//! after that (a *storm*) for whatever waits.

use super::balancer::Balancer;
use super::covered::{covered, is_idle, is_late};
use super::deadlines::after;
use super::lane::{Count, Eligibility, Lane, LaneState};
use super::pool::Pool;
use super::queue::{DEEP, LATE};
use super::socket::BalancerState;
use super::spread::LOOK;
use super::{Deadline, Output, Policy, Timer};
use crate::ids::{BalancerId, LaneId, WorkerId};
use std::time::{Duration, Instant};

/// Unless its thread has been woken and has yet to get a processor, for so long at most: another's would have to wait for one, too.
const WOKEN: Duration = Duration::from_millis(20);
/// A process that had no descriptor left has no open credit for so long.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// Nor has a lane by which open credits have stalled.
const STALLED: Duration = Duration::from_secs(1);
/// So often may a lane with an open credit take nothing though its queue is not empty; then it gets singles for a while.
const MOST_STALLS: u8 = 2;

impl Pool {
    /// The process that holds the lane accepts by itself, or no longer.
    pub(super) fn takes_credit(&mut self, now: Instant, id: LaneId, on: bool) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.willing = on;
        let balancer = lane.balancer();
        self.settle_credit(now, id);
        self.admit(now, balancer);
        self.pump(now, balancer);
    }

    /// The lane takes credit if its process accepts by itself and may have the socket for it.
    pub(super) fn settle_credit(&mut self, now: Instant, id: LaneId) {
        let Some(lane) = self.lanes.get(&id) else { return };
        let balancer = lane.balancer();
        let by_credit = self.balancers.get(&balancer).is_some_and(Balancer::is_by_credit);
        let takes = lane.willing && by_credit && self.may_have_socket(id);
        if lane.credit == takes {
            return;
        }
        self.revoke(now, id);
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.credit = takes;
        }
        self.look_again(balancer);
        // It has room for what is held.
        self.pump(now, balancer);
    }

    /// How the process that holds the lane accepts.
    pub(super) fn accepters(&mut self, id: LaneId, threads: u32, may_open: bool, may_watch: bool) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.threads = threads.max(1);
            (lane.may_open, lane.may_watch) = (may_open, may_watch);
        }
    }

    /// So many wait in the queue. Credits are given for those that are not yet covered by one.
    pub(super) fn queued(&mut self, now: Instant, id: BalancerId, waiting: u32) {
        if !self.wants_queue(id) {
            return;
        }
        let mut covered = covered(now, id, &self.lanes);
        if covered.opened + covered.rests > 0 {
            self.spread(now, id, waiting);
            covered = super::covered::covered(now, id, &self.lanes);
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
        if !is_more && self.settings.policy != Policy::LeastConnections {
            return;
        }
        for (&lane_id, lane) in self.lanes.iter().filter(|(_, lane)| lane.balancer() == id) {
            if lane.state == LaneState::Full && lane.may_take() && !lane.open && !lane.rests {
                self.outbox.push_back(Output::Watch { lane: lane_id });
            }
        }
    }

    /// Opens credits for lanes that have none and take what they may, idle ones first and then the least recently connected, to no
    /// more than wait in the queue. Returns how many.
    fn open_some(&mut self, now: Instant, id: BalancerId, waiting: u32) -> usize {
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
    pub(super) fn shut(&mut self, now: Instant, id: LaneId) {
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
    pub(super) fn exhausted(&mut self, now: Instant, id: LaneId) {
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

    /// So many were accepted by the lane.
    pub(super) fn took(&mut self, now: Instant, id: LaneId, count: u32) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let (worker, was_open, balancer) = (lane.worker(), lane.open, lane.balancer());
        if was_open {
            lane.storm.taken += u64::from(count);
        }
        lane.is_serving = true;
        self.took_by_socket(id, balancer);
        if let Some(balancer) = self.balancers.get_mut(&balancer) {
            balancer.count_dispatched(count.into());
            if was_open {
                balancer.queue.moved = Some(now);
            }
        }
        self.count_taken(now, worker, count, was_open);
    }

    fn count_taken(&mut self, now: Instant, id: WorkerId, count: u32, was_open: bool) {
        let Some(worker) = self.processes.active_mut(id) else { return };
        worker.load.took(count.into());
        if was_open {
            worker.load.add(count.into());
        }
        let spent = worker.recycle.is_spent(worker.load.dispatched());
        if spent && self.spent.is_none() && self.may_roll() {
            self.spent = Some(now);
            self.deadlines.lower(now, Timer::Recycle);
        }
    }

    /// There was no connection for a lane that takes no credit.
    pub(super) fn none_taken(&mut self, now: Instant, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let (worker, balancer) = (lane.worker(), lane.balancer());
        let look = lane.was_given_nothing(now, &self.settings);
        self.look_at(look);
        if let Some(worker) = self.processes.active_mut(worker) {
            worker.load.took_back();
        }
        if let Some(balancer) = self.balancers.get_mut(&balancer) {
            balancer.forget_queue();
        }
        self.update_eligibility(now, worker);
        // It may have room again for what waits elsewhere.
        self.pump_all(now);
    }

    /// The lane may accept nothing more by what it was given. What waits for it stays in the queue, for the others.
    pub(super) fn revoke(&mut self, now: Instant, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id).filter(|lane| lane.credit) else { return };
        if !lane.open && !lane.rests && lane.in_flight() == 0 {
            return;
        }
        let (worker, balancer) = (lane.worker(), lane.balancer());
        let was_ready = lane.is_ready();
        (lane.open, lane.rests) = (false, false);
        let look = (!lane.keeps_void()).then(|| lane.yield_up(now, &self.settings)).flatten();
        match (was_ready, lane.is_ready(), self.balancers.get_mut(&balancer)) {
            (true, false, Some(balancer)) => balancer.leave(id),
            (false, true, Some(balancer)) => balancer.enter(id, lane),
            _ => {}
        }
        self.look_at(look);
        self.outbox.push_back(Output::TakeBack { lane: id });
        self.count_anew(now, worker);
        self.look_again(balancer);
    }

    /// Connections that are held, because they were taken from another worker, wait for no open credit: one lasts for as long as
    /// somebody waits in the queue. As many end as there are connections, the least recently connected first.
    pub(super) fn make_room(&mut self, now: Instant, id: BalancerId) {
        let Some(balancer) = self.balancers.get(&id).filter(|balancer| balancer.is_by_credit()) else {
            return;
        };
        let held = if balancer.rotation.is_empty() { balancer.held() } else { 0 };
        if held == 0 {
            return;
        }
        let lanes =
            self.lanes.iter().filter(|(_, lane)| lane.balancer() == id && lane.open && lane.may_take());
        let mut open: Vec<(u64, LaneId)> = lanes.map(|(lane_id, lane)| (lane.turn, *lane_id)).collect();
        open.sort_unstable();
        for (_, lane) in open.into_iter().take(held) {
            self.revoke(now, lane);
        }
        self.pump(now, id);
    }

    /// Something that was given for the balancer's queue may be no longer: the queue is looked at anew.
    pub(super) fn look_again(&mut self, id: BalancerId) {
        if let Some(balancer) = self.balancers.get_mut(&id).filter(|balancer| balancer.is_by_credit()) {
            balancer.forget_queue();
            balancer.queue.storm.right_ended();
            self.outbox.push_back(Output::LookAtQueue { balancer: id });
        }
    }

    /// Queues whose time has come are looked at.
    pub(super) fn queue_timers(&mut self, now: Instant) {
        for (&id, balancer) in &mut self.balancers {
            if balancer.queue.look.is_some_and(|at| at <= now) {
                balancer.queue.look = None;
                self.outbox.push_back(Output::LookAtQueue { balancer: id });
            }
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
    pub(super) fn woken(&mut self, now: Instant, id: LaneId) {
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

    /// An open credit that did not move, though somebody waits in the queue and its thread sleeps in its wait, is given anew,
    /// which wakes the thread again; the second time singles are given instead, for a while.
    pub(super) fn stalled(&mut self, now: Instant, id: LaneId) {
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
        self.settings.max_connections.is_none() && self.settings.policy == Policy::RoundRobin
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

    /// Dispatches real connections that are held; what waits in the queue is looked at first.
    fn pump_held(&mut self, now: Instant, lane: LaneId) {
        let Some(balancer) = self.lanes.get(&lane).map(Lane::balancer) else { return };
        let Some(found) = self.balancers.get_mut(&balancer) else { return };
        found.forget_queue();
        if found.held() > 0 {
            self.pump(now, balancer);
        } else {
            found.tell_room(&mut self.outbox);
        }
    }

    /// A lane that takes credit was found to have so many unused singles, unasked: for the queue a look at it follows.
    pub(super) fn seen_unasked(&mut self, now: Instant, id: LaneId, waiting: u32) {
        let Some(balancer) = self.observe(now, id, waiting, Count::AtMost) else { return };
        let waits = self.balancers.get(&balancer).is_some_and(|balancer| balancer.queue.waiting > 0);
        let goes_on = self.lanes.get(&id).is_some_and(|lane| match lane.state {
            LaneState::Full => waits,
            LaneState::Suspect | LaneState::Left => true,
            LaneState::Ready => false,
        });
        if goes_on {
            // What was watched has been told, and is not over.
            self.outbox.push_back(Output::Watch { lane: id });
        } else {
            self.pump_held(now, id);
        }
    }
}

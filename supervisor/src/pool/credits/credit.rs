//! Credits: the right of a worker to accept by itself from a balancer's queue, which the core only counts. It decides who may
//! accept next, and touches no connection: those are the kernel's until a worker takes them.
//!
//! A *single* allows one accept and goes by the rotation. While workers keep up there is nothing else. An *open* credit allows
//! accepting until the queue is empty; such are given once no worker is idle and the queue is two or more deep, and for a moment
//! after that (a *storm*) for whatever waits.

use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::pool::lanes::lane::Count;
use crate::pool::lanes::status::LaneState;
use crate::pool::{Balancer, Lane, Output, Pool, Timer};
use std::time::Instant;

impl Pool {
    /// The process that holds the lane accepts by itself, or no longer.
    pub(in crate::pool) fn takes_credit(&mut self, now: Instant, id: LaneId, on: bool) {
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
    pub(in crate::pool) fn accepters(&mut self, id: LaneId, threads: u32, may_open: bool, may_watch: bool) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.threads = threads.max(1);
            (lane.may_open, lane.may_watch) = (may_open, may_watch);
        }
    }

    /// So many were accepted by the lane.
    pub(in crate::pool) fn took(&mut self, now: Instant, id: LaneId, count: u32) {
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
    pub(in crate::pool) fn none_taken(&mut self, now: Instant, id: LaneId) {
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
    pub(in crate::pool) fn revoke(&mut self, now: Instant, id: LaneId) {
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
    pub(in crate::pool) fn make_room(&mut self, now: Instant, id: BalancerId) {
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

    /// Dispatches real connections that are held; what waits in the queue is looked at first.
    pub(super) fn pump_held(&mut self, now: Instant, lane: LaneId) {
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
    pub(in crate::pool) fn seen_unasked(&mut self, now: Instant, id: LaneId, waiting: u32) {
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

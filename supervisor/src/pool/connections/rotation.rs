//! The part of the pool that decides whether a worker's lanes are in rotation: by its state, its cordon and how many connections it has. What
//! waits in lanes that leave is taken back, and the shell is told where the kernel chooses by the rotation. It gives out nothing.

use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::pool::lanes::status::{Eligibility, LaneState};
use crate::pool::workers::process::Process;
use crate::pool::{Lane, Output, Phase, Pool, Route, Timer};
use std::time::Instant;

impl Pool {
    /// The slot of this process gets no connections because somebody said so.
    pub(in crate::pool) fn is_cordoned(&self, id: WorkerId) -> bool {
        self.slots.get(id.slot as usize).is_some_and(|slot| slot.cordoned)
    }

    /// What the lanes of the process may be given.
    pub(in crate::pool) fn eligibility_of(&self, process: &Process) -> Eligibility {
        process.eligibility(self.is_cordoned(process.id()), &self.settings)
    }

    pub(in crate::pool) fn open_connections(&mut self, now: Instant, id: WorkerId, open: u64) {
        let Some(worker) = self.processes.active_mut(id) else { return };
        if worker.is_live() {
            // Whoever counted did so before what they have not heard of.
            let coming = self.lanes.values().filter(|lane| lane.worker() == id);
            worker.load.report(open, coming.map(|lane| u64::from(lane.unpolled())).sum());
            self.update_eligibility(now, id);
            self.pump_all(now);
        }
    }

    /// The worker may have fewer connections than is believed, though none has ended: another count may show that it has room.
    pub(in crate::pool) fn count_anew(&mut self, now: Instant, id: WorkerId) {
        let Some(worker) = self.processes.active_mut(id) else { return };
        worker.load.count_anew(now);
        if let Some(at) = worker.load.count_at() {
            self.deadlines.lower(at, Timer::Count);
        }
    }

    /// What a worker's lanes may be given follows from its state, its cordon and its connections, all of which may have
    /// changed: they leave the rotation or come back.
    pub(in crate::pool) fn update_eligibility(&mut self, now: Instant, id: WorkerId) {
        let Self { slots, processes, lanes, balancers, settings, .. } = self;
        let (mut watched, mut watch, mut eligibility) = (None, None, Eligibility::Stopping);
        let cordoned = slots.get(id.slot as usize).is_some_and(|slot| slot.cordoned);
        if let Some(worker) = processes.active_mut(id) {
            eligibility = worker.eligibility(cordoned, settings);
            watched = worker.load.count_at();
            worker.load.watch(now, eligibility == Eligibility::AtLimit);
            watch = worker.load.count_at();
        }
        let mut shut = false;
        for (&lane_id, lane) in
            lanes.iter_mut().filter(|(_, lane)| lane.worker() == id && lane.eligibility != eligibility)
        {
            let Some(balancer) = balancers.get_mut(&lane.balancer()) else { continue };
            let was_ready = lane.is_ready();
            if matches!(lane.eligibility, Eligibility::Cordoned | Eligibility::Suspect) {
                lane.turn = balancer.last_turn();
            }
            if eligibility == Eligibility::Suspect {
                balancer.has_suspects();
            }
            lane.missed = false;
            lane.eligibility = eligibility;
            match (was_ready, lane.is_ready()) {
                (true, false) => balancer.leave(lane_id),
                (false, true) => balancer.enter(lane_id, lane),
                (true, true) | (false, false) => {}
            }
            balancer.tell_room(&mut self.outbox);
            shut |= !lane.is_usable() || eligibility == Eligibility::Suspect;
        }
        match (watched, watch) {
            (None, Some(at)) => self.deadlines.lower(at, Timer::Count),
            (Some(_), None) => self.deadlines = self.earliest(),
            (None, None) | (Some(_), Some(_)) => {}
        }
        if shut && self.phase == Phase::Serving {
            self.yield_lanes_of(now, id);
        }
    }

    /// Takes back what waits in the lanes of a worker that is to get nothing more, where another worker serves the address.
    /// That the others have no room at this moment is no reason to leave it: the worker would accept it after it was said
    /// to be out of rotation. It waits for them in front of the kernel's queue.
    fn yield_lanes_of(&mut self, now: Instant, worker: WorkerId) {
        let takers: Vec<BalancerId> = self
            .lanes
            .values()
            .filter(|lane| lane.worker() != worker && lane.may_take())
            .map(Lane::balancer)
            .collect();
        let by_credit =
            |lane: &Lane| lane.worker() == worker && lane.credit && lane.eligibility != Eligibility::AtLimit;
        let credits: Vec<LaneId> =
            self.lanes.iter().filter(|(_, lane)| by_credit(lane)).map(|(id, _)| *id).collect();
        for lane in credits {
            self.revoke(now, lane);
        }
        let Self { lanes, settings, outbox, deadlines, .. } = self;
        for (&id, lane) in lanes.iter_mut().filter(|(_, lane)| lane.worker() == worker && !lane.credit) {
            // A suspect's are taken back in any case: they are the next to be given.
            let stay = lane.eligibility != Eligibility::Suspect && !takers.contains(&lane.balancer());
            if stay || lane.in_flight() == 0 || matches!(lane.state, LaneState::Suspect | LaneState::Left) {
                continue;
            }
            if let Some(at) = lane.yield_up(now, settings) {
                deadlines.lower(at, Timer::Look);
            }
            // It has room again, which nobody may come to tell: what is taken back was not taken by the worker.
            if lane.state == LaneState::Full && lane.in_flight() < u64::from(lane.window(settings)) {
                lane.state = LaneState::Ready;
            }
            outbox.push_back(Output::TakeBack { lane: id });
        }
    }

    /// The shell is told of rotations that have changed, once for all that has happened in one input.
    pub(in crate::pool) fn tell_steering(&mut self) {
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

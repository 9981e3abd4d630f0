//! The part of the pool that hears of lanes that open and close, and closes those of a worker that is gone. It makes no lane.

use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::pool::lanes::status::Eligibility;
use crate::pool::workers::event::Event;
use crate::pool::workers::process::Process;
use crate::pool::{Lane, Note, Output, Pool};
use std::time::Instant;

impl Pool {
    pub(in crate::pool) fn lane_opened(
        &mut self,
        now: Instant,
        id: LaneId,
        worker: WorkerId,
        to: BalancerId,
    ) {
        if self.lanes.contains_key(&id) {
            return;
        }
        let live = self.processes.active(worker).is_some_and(Process::is_live) || self.keeps_lanes(worker);
        if !live || !self.balancers.contains_key(&to) {
            // Nobody of ours receives from it; and if it was to be the first of its balancer, there is none.
            self.outbox.push_back(Output::Retire { lane: id });
            return self.unlistened(to);
        }
        let first = !self.serves(worker, to);
        if first {
            self.note(Note::Listening { worker, balancer: to });
        }
        self.ever_listened = true;
        self.note_opened(now, worker, to);
        self.refusals.listened(worker, to);
        if self.settings.readiness.by_listening() {
            self.act_on(now, worker, Event::Ready);
        }
        let eligibility = self
            .processes
            .active(worker)
            .map_or(Eligibility::Stopping, |process| self.eligibility_of(process));
        let lane = Lane::new(worker, to, eligibility);
        if let Some(balancer) = self.balancers.get_mut(&to) {
            balancer.served = true;
            if lane.is_ready() {
                balancer.enter(id, &lane);
            }
        }
        self.lanes.insert(id, lane);
        self.pump(now, to);
        self.launch(now);
        self.close_unserved();
    }

    /// Nobody has come to the balancer, which may have been opened for whoever was to.
    pub(in crate::pool) fn unlistened(&mut self, id: BalancerId) {
        if let Some(balancer) = self.balancers.get_mut(&id) {
            balancer.served = true;
            self.close_unserved();
        }
    }

    pub(in crate::pool) fn lane_closed(&mut self, now: Instant, id: LaneId) {
        let Some(lane) = self.lanes.remove(&id) else { return };
        let (worker, balancer) = (lane.worker(), lane.balancer());
        let was_given = lane.credit && (lane.open || lane.in_flight() > 0);
        if let Some(balancer) = self.balancers.get_mut(&balancer) {
            balancer.leave(id);
        }
        self.outbox.push_back(Output::Retire { lane: id });
        self.count_anew(now, worker);
        self.return_to_left(worker, balancer);
        self.tell_suspicion(worker);
        if !self.serves(worker, balancer) {
            self.note(Note::StoppedListening { worker, balancer });
        }
        if self.is_unserved(balancer) && !self.is_anyone_coming() {
            self.close_balancer(balancer);
        } else {
            self.pump(now, balancer);
            if was_given {
                self.look_again(balancer);
            }
        }
    }

    /// The worker is gone: its lanes are closed, and what waits in them comes back.
    pub(in crate::pool) fn retire_lanes_of(&mut self, worker: WorkerId) {
        let Self { lanes, balancers, outbox, .. } = self;
        lanes.retain(|&id, lane| {
            if lane.worker() != worker {
                return true;
            }
            if let Some(balancer) = balancers.get_mut(&lane.balancer()) {
                balancer.leave(id);
                if lane.credit && lane.open {
                    // The kernel may have woken it for a connection.
                    balancer.queue.storm.right_ended();
                    outbox.push_back(Output::LookAtQueue { balancer: balancer.id() });
                }
            }
            outbox.push_back(Output::Retire { lane: id });
            if lane.credit && (lane.open || lane.in_flight() > 0) {
                outbox.push_back(Output::LookAtQueue { balancer: lane.balancer() });
            }
            false
        });
    }

    fn serves(&self, worker: WorkerId, balancer: BalancerId) -> bool {
        self.lanes.values().any(|lane| lane.worker() == worker && lane.balancer() == balancer)
    }
}

//! Lanes that several processes of a worker came by, as the children of a preforking server do: each gets one of its own,
//! and the shared one is left to whoever may still receive from it. It tells no process from another.

use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::pool::lanes::status::{Eligibility, LaneState};
use crate::pool::{Finding, Lane, Note, Output, Pool, Timer};
use std::time::Instant;

impl Pool {
    /// One of those who share the lane has got its own. Whether anybody else receives from it shows when the void record
    /// is taken: a parent that only waits for its children never does.
    pub(in crate::pool) fn lane_shared(&mut self, now: Instant, from: LaneId, to: LaneId) {
        let (Some(shared), Some(own)) = (self.lanes.get(&from), self.lanes.get(&to)) else { return };
        let (worker, id) = (shared.worker(), shared.balancer());
        if from == to || (own.worker(), own.balancer()) != (worker, id) {
            return;
        }
        let (left, turn, is_new) = (shared.is_left(), shared.turn, own.turn == 0);
        // One that is left itself is nobody's own: were the other left too, nothing would be taken any more.
        let is_nobodys = own.is_left();
        if let Some(own) = self.lanes.get_mut(&to) {
            own.shared_out = true;
            // What it took from the shared one was its turn.
            if is_new && let Some(balancer) = self.balancers.get_mut(&id) {
                own.turn = turn;
                if own.is_ready() {
                    balancer.leave(to);
                    balancer.enter(to, own);
                }
            }
        }
        if is_nobodys {
            return self.tell_suspicion(worker);
        }
        if left {
            // It may have been this one that took the void record, and has left since.
            self.outbox.push_back(Output::Vacate { lane: from });
            self.outbox.push_back(Output::Watch { lane: from });
            return self.tell_suspicion(worker);
        }
        let Some(lane) = self.lanes.get_mut(&from) else { return };
        let look = lane.leave_to_others(now);
        self.deadlines.lower(look, Timer::Look);
        if let Some(balancer) = self.balancers.get_mut(&id) {
            balancer.leave(from);
        }
        self.outbox.push_back(Output::Vacate { lane: from });
        self.outbox.push_back(Output::Watch { lane: from });
        self.count_anew(now, worker);
        self.tell_suspicion(worker);
        self.pump(now, id);
        self.look_again(id);
    }

    /// The lane belongs to one of several processes of a worker, and another of these takes what comes: the worker is not
    /// out where the one is.
    pub(in crate::pool) fn has_well_sibling(&self, id: LaneId, lane: &Lane) -> bool {
        let sibling = |other: &Lane| {
            other.shared_out && other.worker() == lane.worker() && other.balancer() == lane.balancer()
        };
        let well = |other: &Lane| matches!(other.state, LaneState::Ready | LaneState::Full);
        let mut others = self.lanes.iter().filter(|(other, _)| **other != id);
        lane.shared_out && others.any(|(_, other)| sibling(other) && well(other))
    }

    /// One of several processes that takes nothing is looked at closely: whether the others are well says nothing of it.
    pub(super) fn examine_holder(&mut self, id: LaneId) {
        if self.settings.health.hang_limit().is_some() && self.is_suspect_alone(id) {
            self.outbox.push_back(Output::ExamineHolder { lane: id });
        }
    }

    /// The answer: one that hangs beyond the limit, and was wanted, is ended. Its parent starts another, if it likes.
    pub(in crate::pool) fn holder_examined(
        &mut self,
        now: Instant,
        id: LaneId,
        finding: Finding,
        evidence: String,
    ) {
        let Some(limit) = self.settings.health.hang_limit() else { return };
        if self.late == Some(now) || !self.is_guilty(finding) || !self.is_suspect_alone(id) {
            return;
        }
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let Some(waited) = lane.suspect_for(now).filter(|waited| *waited >= limit && lane.is_wanted()) else {
            return;
        };
        lane.condemned = true;
        let worker = lane.worker();
        self.note(Note::HolderHung { worker, waited, finding, evidence });
        self.outbox.push_back(Output::EndHolder { lane: id });
    }

    /// It takes nothing, while another process of its worker does.
    fn is_suspect_alone(&self, id: LaneId) -> bool {
        self.lanes.get(&id).is_some_and(|lane| {
            lane.state == LaneState::Suspect
                && matches!(lane.eligibility, Eligibility::Open | Eligibility::AtLimit)
                && !lane.condemned
                && self.has_well_sibling(id, lane)
        })
    }

    /// A lane of the worker has closed. If it was the last of those that were shared out, whoever comes next will receive
    /// from the shared one.
    pub(super) fn return_to_left(&mut self, worker: WorkerId, id: BalancerId) {
        let Self { lanes, balancers, .. } = self;
        let own = |lane: &Lane| lane.worker() == worker && lane.balancer() == id;
        if lanes.values().any(|lane| own(lane) && !lane.is_left()) {
            return;
        }
        let Some(balancer) = balancers.get_mut(&id) else { return };
        for (&lane_id, lane) in lanes.iter_mut().filter(|(_, lane)| own(lane)) {
            lane.turn = balancer.last_turn();
            lane.recover();
            if lane.is_ready() {
                balancer.enter(lane_id, lane);
            }
        }
    }
}

//! The part of the pool that lets lanes have the socket of their balancer, one after the other where somebody shuts it down. It opens no
//! socket.

use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::pool::balancers::admission::{Admission, Admitted, Culprit, LONGEST, QUIET, Stage};
use crate::pool::vocabulary::deadlines::after;
use crate::pool::workers::process::Process;
use crate::pool::{Balancer, BalancerState, Lane, Note, Pool, Timer};
use std::time::Instant;

impl Pool {
    /// A worker may have the socket by which it accepts for this lane.
    pub(crate) fn may_have_socket(&self, id: LaneId) -> bool {
        let Some(lane) = self.lanes.get(&id) else { return false };
        let balancer = self.balancers.get(&lane.balancer());
        balancer.is_some_and(|balancer| balancer.admission.may_have(id, lane.worker()))
    }

    /// It has got it.
    pub(in crate::pool) fn socket_given(&mut self, now: Instant, id: LaneId) {
        let Some(balancer) = self.lanes.get(&id).map(Lane::balancer) else { return };
        let Some(found) = self.balancers.get_mut(&balancer) else { return };
        if let Stage::OneByOne(admitted) = &mut found.admission.stage
            && let Some(one) = admitted.iter_mut().find(|one| one.lane == id && one.given.is_none())
        {
            one.given = Some(now);
            self.admit(now, balancer);
        }
    }

    /// Something was accepted by the lane.
    pub(super) fn took_by_socket(&mut self, id: LaneId, balancer: BalancerId) {
        let Some(balancer) = self.balancers.get_mut(&balancer) else { return };
        let Stage::OneByOne(admitted) = &mut balancer.admission.stage else { return };
        if let Some(one) = admitted.last_mut().filter(|one| one.lane == id && one.given.is_some()) {
            one.took = true;
            if let Some((due, next)) = balancer.admission.due.zip(balancer.admission.next_at())
                && next < due
            {
                balancer.admission.due = Some(next);
                self.deadlines.lower(next, Timer::Admission);
            }
        }
    }

    /// The socket that lanes of the balancer have is no longer good.
    pub(in crate::pool) fn withdraw(&mut self, now: Instant, id: BalancerId) {
        let Some(balancer) = self.balancers.get_mut(&id).filter(|balancer| balancer.is_by_credit()) else {
            return;
        };
        balancer.forget_queue();
        let culprit = balancer.admission.failed(now);
        let processes = &self.processes;
        let lives = |id: &WorkerId| processes.get(*id).is_some_and(Process::is_live);
        balancer.admission.barred.retain(lives);
        if let Some(Culprit { worker, after, alone }) = culprit {
            self.note(Note::ShutDown { balancer: id, worker, after, alone });
        }
        self.settle_all(now, id);
    }

    /// Lanes go on with what they have: the balancer's socket is the one that they have.
    pub(in crate::pool) fn admit_all(&mut self, now: Instant, id: BalancerId) {
        if let Some(balancer) = self.balancers.get_mut(&id).filter(|balancer| !balancer.is_handed_over()) {
            (balancer.admission.stage, balancer.admission.due) = (Stage::All, None);
        }
        self.settle_all(now, id);
    }

    fn settle_all(&mut self, now: Instant, id: BalancerId) {
        let lanes = self.lanes.iter().filter(|(_, lane)| lane.balancer() == id);
        let lanes: Vec<LaneId> = lanes.map(|(id, _)| *id).collect();
        lanes.into_iter().for_each(|lane| self.settle_credit(now, lane));
        // Who has lost a credit may be handed what is held.
        self.pump(now, id);
    }

    /// The next lane may have the socket, if it is time; all may once each has had it for a while.
    pub(in crate::pool) fn admit(&mut self, now: Instant, id: BalancerId) {
        let Some(balancer) = self.balancers.get_mut(&id) else { return };
        let Admission { stage: Stage::OneByOne(admitted), barred, .. } = &balancer.admission else { return };
        if balancer.state() != BalancerState::Running {
            return;
        }
        let last = admitted.last().map(|last| last.since);
        let waits = |(lane_id, lane): &(&LaneId, &Lane)| {
            lane.balancer() == id
                && lane.willing
                && !barred.contains(&lane.worker())
                && !admitted.iter().any(|one| one.lane == **lane_id)
        };
        let waiting: Vec<(LaneId, bool)> =
            self.lanes.iter().filter(waits).map(|(id, lane)| (*id, lane.may_take())).collect();
        let next = waiting.iter().find(|(_, may_take)| *may_take).map(|(lane, _)| *lane);
        let is_time = balancer.admission.next_at().is_none_or(|at| at <= now);
        if let (Some(lane), true) = (next, is_time) {
            let Some(worker) = self.lanes.get(&lane).map(Lane::worker) else { return };
            if let Stage::OneByOne(admitted) = &mut balancer.admission.stage {
                admitted.push(Admitted { lane, worker, since: now, given: None, took: false });
            }
            let next = balancer.admission.next_at();
            balancer.admission.due = next;
            self.settle_credit(now, lane);
        } else if let (true, Some(last)) = (waiting.is_empty(), last) {
            let quiet_at = after(last, QUIET);
            if quiet_at <= now {
                return self.admit_all(now, id);
            }
            balancer.admission.due = Some(quiet_at);
        } else {
            // Who is out of rotation may be back by then.
            let at = balancer.admission.next_at().filter(|at| *at > now);
            balancer.admission.due = (!waiting.is_empty()).then(|| at.unwrap_or_else(|| after(now, LONGEST)));
        }
        if let Some((due, timer)) = self.balancers.get(&id).and_then(|balancer| balancer.admission.timer()) {
            self.deadlines.lower(due, timer);
        }
    }

    pub(in crate::pool) fn admission_timers(&mut self, now: Instant) {
        let is_due = |balancer: &Balancer| balancer.admission.due.is_some_and(|due| due <= now);
        let due: Vec<BalancerId> =
            self.balancers.iter().filter(|(_, balancer)| is_due(balancer)).map(|(id, _)| *id).collect();
        for id in due {
            if let Some(balancer) = self.balancers.get_mut(&id) {
                balancer.admission.due = None;
            }
            self.admit(now, id);
        }
    }
}

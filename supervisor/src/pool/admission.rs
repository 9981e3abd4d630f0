//! Which lanes of a balancer may have its socket. All may, until somebody who has it shuts it down: the next one they get one
//! after the other, so that it can be told who does it again. It knows lanes and times, and opens no socket.

use super::deadlines::after;
use super::pool::Pool;
use super::process::Process;
use super::{BalancerState, Deadline, Note, Timer};
use crate::ids::{BalancerId, LaneId, WorkerId};
use std::time::{Duration, Instant};

/// Nobody else gets it for so long after a lane has got it: who shuts it down at once can only be this one.
const STEP: Duration = Duration::from_millis(300);
/// A lane that does not ask for it, or accepts nothing, holds the next up for so long. Who shuts the socket down later than this after he
/// got it, when others have it too, is not known.
const LONGEST: Duration = Duration::from_secs(1);
/// After this time with all of them having it, all may have it.
const QUIET: Duration = Duration::from_secs(10);
/// So often may it be shut down by somebody who is not known; then nobody has it any more.
const MOST_IN_VAIN: u8 = 3;
/// And this ends an older count.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

#[derive(Clone, Debug, Default)]
pub(super) struct Admission {
    stage: Stage,
    /// These have shut it down. Connections are handed over to them.
    barred: Vec<WorkerId>,
    in_vain: u8,
    failed_at: Option<Instant>,
    /// When it is looked who is next.
    due: Option<Deadline>,
}

#[derive(Clone, Debug, Default)]
enum Stage {
    #[default]
    All,
    /// These may, the last one since last.
    OneByOne(Vec<Admitted>),
    Nobody,
}

#[derive(Clone, Copy, Debug)]
struct Admitted {
    lane: LaneId,
    worker: WorkerId,
    since: Instant,
    /// When its worker got the socket.
    given: Option<Instant>,
    /// And has accepted from it.
    took: bool,
}

/// Who shut the socket down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Culprit {
    worker: WorkerId,
    /// So long after it had got the socket.
    after: Duration,
    /// No other worker had it.
    alone: bool,
}

impl Admission {
    /// The socket was shut down, and not by the supervisor: the next one is given out one by one. Returns who did it, if that can be
    /// told.
    fn failed(&mut self, now: Instant) -> Option<Culprit> {
        let culprit = self.culprit(now);
        let last = self.failed_at.replace(now);
        match culprit {
            Some(culprit) => self.barred.push(culprit.worker),
            None if last.is_some_and(|last| now >= after(last, FORGOTTEN)) => self.in_vain = 1,
            None => self.in_vain = self.in_vain.saturating_add(1),
        }
        if self.in_vain >= MOST_IN_VAIN {
            self.stage = Stage::Nobody;
        } else if !matches!(self.stage, Stage::Nobody) {
            self.stage = Stage::OneByOne(Vec::new());
        }
        self.due = None;
        culprit
    }

    fn culprit(&self, now: Instant) -> Option<Culprit> {
        let Stage::OneByOne(admitted) = &self.stage else { return None };
        let given = admitted.iter().filter_map(|one| Some((one.given?, one.worker)));
        let (at, worker) = given.clone().max()?;
        let after = now.saturating_duration_since(at);
        let alone = given.clone().all(|(_, other)| other == worker);
        (alone || after < LONGEST).then_some(Culprit { worker, after, alone })
    }

    fn may_have(&self, lane: LaneId, worker: WorkerId) -> bool {
        let admitted = match &self.stage {
            Stage::All => true,
            Stage::OneByOne(admitted) => admitted.iter().any(|one| one.lane == lane),
            Stage::Nobody => false,
        };
        admitted && !self.barred.contains(&worker)
    }

    /// When the next may have it, given what the last has done.
    fn next_at(&self) -> Option<Deadline> {
        let Stage::OneByOne(admitted) = &self.stage else { return None };
        let last = admitted.last()?;
        Some(match last.given {
            Some(given) if last.took => after(given, STEP),
            Some(given) => after(given, STEP).max(after(last.since, LONGEST)),
            None => after(last.since, LONGEST),
        })
    }

    pub(super) fn timer(&self) -> Option<(Deadline, Timer)> {
        self.due.map(|due| (due, Timer::Admission))
    }

    /// Nobody has it any more.
    pub(super) fn is_nobody(&self) -> bool {
        matches!(self.stage, Stage::Nobody)
    }

    /// Why not every lane may have it.
    pub(super) fn reason(&self) -> Option<&'static str> {
        match self.stage {
            Stage::All if self.barred.is_empty() => None,
            Stage::All => Some("a worker that shut the socket down does not get it again"),
            Stage::OneByOne(_) => {
                Some("the socket was shut down: workers get a new one, one after the other")
            }
            Stage::Nobody => Some("the socket was shut down again and again, it is not known by whom"),
        }
    }
}

impl Pool {
    /// A worker may have the socket by which it accepts for this lane.
    pub fn may_have_socket(&self, id: LaneId) -> bool {
        let Some(lane) = self.lanes.get(&id) else { return false };
        let balancer = self.balancers.get(&lane.balancer());
        balancer.is_some_and(|balancer| balancer.admission.may_have(id, lane.worker()))
    }

    /// It has got it.
    pub(super) fn socket_given(&mut self, now: Instant, id: LaneId) {
        let Some(balancer) = self.lanes.get(&id).map(super::Lane::balancer) else { return };
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
    pub(super) fn withdraw(&mut self, now: Instant, id: BalancerId) {
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
    pub(super) fn admit_all(&mut self, now: Instant, id: BalancerId) {
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
    pub(super) fn admit(&mut self, now: Instant, id: BalancerId) {
        let Some(balancer) = self.balancers.get_mut(&id) else { return };
        let Admission { stage: Stage::OneByOne(admitted), barred, .. } = &balancer.admission else { return };
        if balancer.state() != BalancerState::Running {
            return;
        }
        let last = admitted.last().map(|last| last.since);
        let waits = |(lane_id, lane): &(&LaneId, &super::Lane)| {
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
            let Some(worker) = self.lanes.get(&lane).map(super::Lane::worker) else { return };
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

    pub(super) fn admission_timers(&mut self, now: Instant) {
        let is_due = |balancer: &super::Balancer| balancer.admission.due.is_some_and(|due| due <= now);
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

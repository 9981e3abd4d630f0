//! One load balancer: its socket's state, its rotation of lanes, and the connections held for it, which
//! `dispatching` gives out. It owns no lane and decides nothing about workers.

use super::admission::Admission;
use super::queue::Queue;
use crate::ids::{BalancerId, ConnId, LaneId, WorkerId};
use crate::pool::vocabulary::deadlines::after;
use crate::pool::vocabulary::socket::Intake;
use crate::pool::{BalancerState, Deadline, Lane, Output, Route, Settings, Timer};
use std::collections::VecDeque;
use std::time::Instant;

/// A shared address and what it hands out next to whom.
#[derive(Clone, Debug)]
pub(crate) struct Balancer {
    pub(super) id: BalancerId,
    pub(in crate::pool) state: BalancerState,
    /// The lanes that may be given a connection, least recently connected first.
    pub(in crate::pool) rotation: VecDeque<Place>,
    /// Counts dispatches and returns to the end; a lane's `turn` is one of these.
    turns: u64,
    pub(super) dispatched: u64,
    /// Came back from a lane: go before all that was accepted.
    pub(in crate::pool) returned: VecDeque<Held>,
    pub(in crate::pool) accepted: VecDeque<Held>,
    route: Route,
    /// What the kernel may choose among has changed, and the shell has yet to be told.
    pub(in crate::pool) has_changed: bool,
    /// What it was when the shell was last told.
    #[cfg(any(test, debug_assertions))]
    pub(in crate::pool) told: std::collections::BTreeSet<LaneId>,
    pub(in crate::pool) queue: Queue,
    pub(in crate::pool) admission: Admission,
    /// The lane whose `Measured` the held connections wait for.
    pub(in crate::pool) measuring: Option<LaneId>,
    /// What the shell takes `may_accept` to be.
    pub(in crate::pool) accepting: bool,
    /// It has had a lane. One that has not is being opened just now, and is not closed for having none.
    pub(in crate::pool) served: bool,
    /// Since when no lane of it may be given anything, however long that lasts.
    pub(in crate::pool) no_worker_since: Option<Instant>,
    /// It has had no worker for too long.
    pub(in crate::pool) refusing: bool,
    /// Some of its lanes may be out of rotation as suspects.
    pub(super) may_miss: bool,
    pub(in crate::pool) intake: Intake,
}

/// A lane in rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) struct Place {
    /// That of its last connection.
    pub(in crate::pool) turn: u64,
    pub(in crate::pool) lane: LaneId,
    /// Whose it is.
    pub(in crate::pool) worker: WorkerId,
}

/// A connection that the shell holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) struct Held {
    pub(in crate::pool) conn: ConnId,
    pub(in crate::pool) source: u64,
}

/// What came of dispatching.
#[derive(Clone, Copy, Debug)]
pub(in crate::pool) struct Pumped {
    /// The earliest look that is due sooner than before.
    pub(in crate::pool) look: Option<Deadline>,
    /// This worker has as many connections as it may: its lanes must leave before this goes on.
    pub(in crate::pool) at_limit: Option<WorkerId>,
    /// Some worker has been given as many connections as one process is.
    pub(in crate::pool) spent: bool,
}

impl Balancer {
    pub(in crate::pool) fn new(id: BalancerId, route: Route) -> Self {
        Self {
            id,
            state: BalancerState::Running,
            rotation: VecDeque::new(),
            turns: 0,
            dispatched: 0,
            returned: VecDeque::new(),
            accepted: VecDeque::new(),
            route,
            has_changed: false,
            #[cfg(any(test, debug_assertions))]
            told: std::collections::BTreeSet::new(),
            queue: Queue::default(),
            admission: Admission::default(),
            measuring: None,
            accepting: false,
            served: false,
            no_worker_since: None,
            refusing: false,
            may_miss: false,
            intake: Intake::Open,
        }
    }

    /// It gives credits: workers accept from its queue by themselves.
    pub(crate) fn is_by_credit(&self) -> bool {
        self.route == Route::Credit
    }

    /// How its connections reach workers.
    pub(crate) fn route(&self) -> Route {
        self.route
    }

    /// Why not every worker that could accepts by itself: somebody has shut its socket down.
    pub(crate) fn handoff_because(&self) -> Option<&'static str> {
        self.admission.reason()
    }

    /// No worker has its socket any more.
    pub(crate) fn is_handed_over(&self) -> bool {
        self.admission.is_nobody()
    }

    /// So many more have reached a worker.
    pub(in crate::pool) fn count_dispatched(&mut self, count: u64) {
        self.dispatched = self.dispatched.saturating_add(count);
    }

    /// What was last seen of its queue is no longer so: it is about to be looked at anew.
    pub(in crate::pool) fn forget_queue(&mut self) {
        self.queue.queued = 0;
        if self.held() == 0 {
            self.measuring = None;
        }
    }

    /// Something waits to be dispatched: a connection that is held, or one in the queue, for which there is no `ConnId`.
    pub(in crate::pool) fn next_up(&self) -> Option<(Option<ConnId>, u64)> {
        let held = self.returned.front().or_else(|| self.accepted.front());
        let held = held.map(|held| (Some(held.conn), held.source));
        held.or_else(|| (self.queue.queued > 0).then_some((None, 0)))
    }

    /// Connections wait that any worker of it might take: held, or in the queue where the kernel brings them.
    pub(in crate::pool) fn is_waited_at(&self) -> bool {
        self.held() > 0 || self.route == Route::Kernel && self.queue.waiting > 0
    }

    /// Its name.
    pub(crate) fn id(&self) -> BalancerId {
        self.id
    }

    /// The current state.
    pub(crate) fn state(&self) -> BalancerState {
        self.state
    }

    /// Connections that the shell holds for it now.
    pub(crate) fn held(&self) -> usize {
        self.returned.len() + self.accepted.len()
    }

    /// Connections dispatched so far, counting again those that came back.
    pub(crate) fn dispatched(&self) -> u64 {
        self.dispatched
    }

    /// Lanes in rotation, the least recently connected first.
    pub(crate) fn rotation(&self) -> impl Iterator<Item = LaneId> + '_ {
        self.rotation.iter().map(|place| place.lane)
    }

    /// Since when there has been no worker for it, if there is none.
    #[cfg(test)]
    pub(crate) fn no_worker_since(&self) -> Option<Instant> {
        self.no_worker_since
    }

    /// There has been no worker for it for so long that connections are refused.
    pub(crate) fn is_refusing(&self) -> bool {
        self.refusing
    }

    /// It could do something with one more connection at once. Once the cluster stops, no lane is in rotation.
    pub(in crate::pool) fn has_room(&self) -> bool {
        let room = self.route == Route::Handoff && self.held() == 0 && !self.rotation.is_empty();
        self.state == BalancerState::Running && (room || self.refusing)
    }

    /// The moments it waits for.
    pub(in crate::pool) fn timers(
        &self,
        settings: &Settings,
    ) -> impl Iterator<Item = (Deadline, Timer)> + use<> {
        let reopen = match self.state {
            BalancerState::Standby { due } => Some((due, Timer::Reopen)),
            BalancerState::Starting | BalancerState::Running | BalancerState::Stopping => None,
        };
        let refuse = self.refuse_at(settings).map(|at| (at, Timer::Refuse));
        let look = self.queue.look.map(|at| (at, Timer::Queue));
        reopen.into_iter().chain(refuse).chain(look).chain(self.admission.timer())
    }

    /// When it begins to refuse connections, if nobody comes.
    pub(in crate::pool) fn refuse_at(&self, settings: &Settings) -> Option<Deadline> {
        let since = self.no_worker_since.filter(|_| !self.refusing)?;
        Some(after(since, settings.balancing.when_no_worker.patience()?))
    }

    /// The lane joins the rotation where its turn puts it. One that was never dispatched to (0) thus comes first, behind
    /// others like it: after n lanes have opened, the next n connections go to n lanes, and none gets two.
    pub(in crate::pool) fn enter(&mut self, id: LaneId, lane: &Lane) {
        let place = Place { turn: lane.turn, lane: id, worker: lane.worker() };
        (self.queue.has_joined, self.has_changed) = (true, true);
        self.rotation.insert(self.rotation.partition_point(|other| other.turn <= place.turn), place);
    }

    /// Singles that were not used in time.
    pub(crate) fn late(&self) -> u64 {
        self.queue.late
    }

    /// The turn of a lane that is to wait until all others have had theirs.
    pub(in crate::pool) fn last_turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    /// The lane gets no more connections, and none waits for it to be measured.
    pub(in crate::pool) fn leave(&mut self, lane: LaneId) {
        if let Some(place) = self.rotation.iter().position(|place| place.lane == lane) {
            self.rotation.remove(place);
            self.has_changed = true;
        }
        if self.measuring == Some(lane) {
            self.measuring = None;
        }
    }

    /// Takes what is held, in the order in which it would be dispatched.
    pub(in crate::pool) fn drain_held(&mut self) -> impl Iterator<Item = ConnId> + '_ {
        self.returned.drain(..).chain(self.accepted.drain(..)).map(|held| held.conn)
    }

    /// Tells when `may_accept` has turned true.
    pub(in crate::pool) fn tell_room(&mut self, outbox: &mut VecDeque<Output>) {
        if std::mem::take(&mut self.queue.has_joined) && self.is_by_credit() && self.queue.waiting > 0 {
            // What waits may be for a lane that has just come back.
            outbox.push_back(Output::LookAtQueue { balancer: self.id });
        }
        let may_accept = self.has_room();
        if may_accept && !self.accepting {
            outbox.push_back(Output::Resume { balancer: self.id });
        }
        self.accepting = may_accept;
    }
}

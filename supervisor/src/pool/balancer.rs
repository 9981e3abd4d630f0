//! One load balancer: its socket's state, its rotation of lanes, the connections held for it, and the picking of a lane
//! for each. It owns no lane and decides nothing about workers.

use super::admission::Admission;
use super::covered::is_coming;
use super::deadlines::after;
use super::lane::{Lane, Lanes};
use super::processes::Processes;
use super::queue::Queue;
use super::socket::{BalancerState, Door};
use super::{Deadline, Output, Policy, Settings, Timer};
use crate::ids::{BalancerId, ConnId, LaneId, WorkerId};
use std::collections::VecDeque;
use std::time::Instant;

/// A shared address and what it hands out next to whom.
#[derive(Clone, Debug)]
pub(crate) struct Balancer {
    id: BalancerId,
    pub(super) state: BalancerState,
    /// The lanes that may be given a connection, least recently connected first.
    pub(super) rotation: VecDeque<Place>,
    /// Counts dispatches and returns to the end; a lane's `turn` is one of these.
    turns: u64,
    dispatched: u64,
    /// Came back from a lane: go before all that was accepted.
    pub(super) returned: VecDeque<Held>,
    pub(super) accepted: VecDeque<Held>,
    /// Its queue can be seen, and workers that take credit accept from it by themselves.
    by_credit: bool,
    pub(super) queue: Queue,
    pub(super) admission: Admission,
    /// The lane whose `Measured` the held connections wait for.
    pub(super) measuring: Option<LaneId>,
    /// What the shell takes `may_accept` to be.
    pub(super) accepting: bool,
    /// It has had a lane. One that has not is being opened just now, and is not closed for having none.
    pub(super) served: bool,
    /// Since when no lane of it may be given anything, however long that lasts.
    pub(super) no_worker_since: Option<Instant>,
    /// It has had no worker for too long.
    pub(super) refusing: bool,
    /// Some of its lanes may be out of rotation as suspects.
    pub(super) may_miss: bool,
    pub(super) door: Door,
}

/// A lane in rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// That of its last connection.
    pub(super) turn: u64,
    pub(super) lane: LaneId,
    /// Whose it is.
    pub(super) worker: WorkerId,
}

/// A connection that the shell holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) conn: ConnId,
    pub(super) source: u64,
}

/// What came of dispatching.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pumped {
    /// The earliest look that is due sooner than before.
    pub(super) look: Option<Deadline>,
    /// This worker has as many connections as it may: its lanes must leave before this goes on.
    pub(super) at_limit: Option<WorkerId>,
    /// Some worker has been given as many connections as one process is.
    pub(super) spent: bool,
}

impl Balancer {
    pub(super) fn new(id: BalancerId, by_credit: bool) -> Self {
        Self {
            id,
            state: BalancerState::Running,
            rotation: VecDeque::new(),
            turns: 0,
            dispatched: 0,
            returned: VecDeque::new(),
            accepted: VecDeque::new(),
            by_credit,
            queue: Queue::default(),
            admission: Admission::default(),
            measuring: None,
            accepting: false,
            served: false,
            no_worker_since: None,
            refusing: false,
            may_miss: false,
            door: Door::Open,
        }
    }

    /// It gives credits: workers accept from its queue by themselves.
    pub(crate) fn is_by_credit(&self) -> bool {
        self.by_credit
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
    pub(super) fn count_dispatched(&mut self, count: u64) {
        self.dispatched = self.dispatched.saturating_add(count);
    }

    /// What was last seen of its queue is no longer so: it is about to be looked at anew.
    pub(super) fn forget_queue(&mut self) {
        self.queue.queued = 0;
        if self.held() == 0 {
            self.measuring = None;
        }
    }

    /// Something waits to be dispatched: a connection that is held, or one in the queue, for which there is no `ConnId`.
    pub(super) fn next_up(&self) -> Option<(Option<ConnId>, u64)> {
        let held = self.returned.front().or_else(|| self.accepted.front());
        let held = held.map(|held| (Some(held.conn), held.source));
        held.or_else(|| (self.queue.queued > 0).then_some((None, 0)))
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
    #[cfg(test)]
    pub(crate) fn is_refusing(&self) -> bool {
        self.refusing
    }

    /// It could do something with one more connection at once. Once the cluster stops, no lane is in rotation.
    pub(super) fn has_room(&self) -> bool {
        let room = !self.by_credit && self.held() == 0 && !self.rotation.is_empty();
        self.state == BalancerState::Running && (room || self.refusing)
    }

    /// The moments it waits for.
    pub(super) fn timers(&self, settings: &Settings) -> impl Iterator<Item = (Deadline, Timer)> + use<> {
        let reopen = match self.state {
            BalancerState::Standby { due } => Some((due, Timer::Reopen)),
            BalancerState::Starting | BalancerState::Running | BalancerState::Stopping => None,
        };
        let refuse = self.refuse_at(settings).map(|at| (at, Timer::Refuse));
        let look = self.queue.look.map(|at| (at, Timer::Queue));
        reopen.into_iter().chain(refuse).chain(look).chain(self.admission.timer())
    }

    /// When it begins to refuse connections, if nobody comes.
    pub(super) fn refuse_at(&self, settings: &Settings) -> Option<Deadline> {
        let since = self.no_worker_since.filter(|_| !self.refusing)?;
        Some(after(since, settings.when_no_worker.patience()?))
    }

    /// The lane joins the rotation where its turn puts it. One that was never dispatched to (0) thus comes first, behind
    /// others like it: after n lanes have opened, the next n connections go to n lanes, and none gets two.
    pub(super) fn enter(&mut self, id: LaneId, lane: &Lane) {
        let place = Place { turn: lane.turn, lane: id, worker: lane.worker() };
        self.queue.has_joined = true;
        self.rotation.insert(self.rotation.partition_point(|other| other.turn <= place.turn), place);
    }

    /// Singles that were not used in time.
    pub(crate) fn late(&self) -> u64 {
        self.queue.late
    }

    /// The turn of a lane that is to wait until all others have had theirs.
    pub(super) fn last_turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    /// The lane gets no more connections, and none waits for it to be measured.
    pub(super) fn leave(&mut self, lane: LaneId) {
        if let Some(place) = self.rotation.iter().position(|place| place.lane == lane) {
            self.rotation.remove(place);
        }
        if self.measuring == Some(lane) {
            self.measuring = None;
        }
    }

    /// Takes what is held, in the order in which it would be dispatched.
    pub(super) fn drain_held(&mut self) -> impl Iterator<Item = ConnId> + '_ {
        self.returned.drain(..).chain(self.accepted.drain(..)).map(|held| held.conn)
    }

    /// Dispatches what is held as far as it goes, and tells when `may_accept` has turned true.
    pub(super) fn pump(
        &mut self,
        now: Instant,
        settings: &Settings,
        lanes: &mut Lanes,
        processes: &mut Processes,
        outbox: &mut VecDeque<Output>,
    ) -> Pumped {
        let mut look = None;
        let mut spent = false;
        while self.measuring.is_none()
            && let Some((conn, source)) = self.next_up()
            && let Some(place) = self.pick(source, settings.policy, processes)
        {
            if conn.is_none()
                && settings.policy == Policy::LeastConnections
                && self.is_fewer_coming(now, place, lanes, processes)
            {
                self.forget_queue();
                continue;
            }
            let Some(&given) = self.rotation.get(place) else { break };
            let Place { lane: id, worker, .. } = given;
            let Some(lane) = lanes.get_mut(&id).filter(|lane| lane.is_ready()) else {
                self.rotation.remove(place);
                continue;
            };
            if lane.may_be_full(settings) {
                self.measuring = Some(id);
                outbox.push_back(Output::Measure { lane: id });
                break;
            }
            let by_credit = conn.is_none() && lane.credit;
            match conn {
                Some(_) if self.returned.pop_front().is_some() => {}
                Some(_) => drop(self.accepted.pop_front()),
                None => self.queue.queued -= 1,
            }
            lane.turn = self.last_turn();
            self.rotation.remove(place);
            self.rotation.push_back(Place { turn: lane.turn, lane: id, worker });
            let sooner = match conn {
                Some(conn) => lane.dispatch(now, conn, settings),
                None => lane.grant(now, settings),
            };
            look = look.into_iter().chain(sooner).min();
            outbox.push_back(match conn {
                Some(conn) => Output::Dispatch { conn, lane: id },
                None if by_credit => Output::Grant { lane: id },
                None => Output::TakeFor { lane: id },
            });
            self.note_missed(given, source, settings, lanes, processes);
            if !by_credit {
                self.dispatched += 1;
            }
            if let Some(process) = processes.active_mut(worker) {
                process.load.add(1);
                if !by_credit {
                    process.load.took(1);
                }
                spent |= process.recycle.is_spent(process.load.dispatched());
                if process.load.is_full(settings) {
                    return Pumped { look, at_limit: Some(worker), spent };
                }
            }
        }
        self.tell_room(outbox);
        Pumped { look, at_limit: None, spent }
    }

    /// Tells when `may_accept` has turned true.
    pub(super) fn tell_room(&mut self, outbox: &mut VecDeque<Output>) {
        if std::mem::take(&mut self.queue.has_joined) && self.by_credit && self.queue.waiting > 0 {
            // What waits may be for a lane that has just come back.
            outbox.push_back(Output::LookAtQueue { balancer: self.id });
        }
        let may_accept = self.has_room();
        if may_accept && !self.accepting {
            outbox.push_back(Output::Resume { balancer: self.id });
        }
        self.accepting = may_accept;
    }

    /// Somebody who has fewer connections than the one at this place is about to take one, and may take the next as well.
    fn is_fewer_coming(&self, now: Instant, place: usize, lanes: &Lanes, processes: &Processes) -> bool {
        let open = |worker| processes.active(worker).map_or(u64::MAX, |process| process.load.open());
        let least = self.rotation.get(place).map_or(0, |place| open(place.worker));
        let mut own = lanes.values().filter(|lane| lane.balancer() == self.id);
        own.any(|lane| is_coming(now, lane) && open(lane.worker()) < least)
    }

    /// The place in the rotation of the lane that the connection is for. All in it are ready, so that a hash which
    /// prefers one that is not spills over to the next it prefers.
    fn pick(&self, source: u64, policy: Policy, processes: &Processes) -> Option<usize> {
        // Of several equal ones, `min_by_key` returns the first.
        let best = |key: &dyn Fn(&Place) -> u64| {
            let places = self.rotation.iter().enumerate();
            places.min_by_key(|(_, place)| key(place)).map(|(place, _)| place)
        };
        match policy {
            Policy::RoundRobin => (!self.rotation.is_empty()).then_some(0),
            Policy::LeastConnections => {
                best(&|place| processes.active(place.worker).map_or(u64::MAX, |process| process.load.open()))
            }
            Policy::SourceHash => best(&|place| preference(source, place.worker.slot)),
        }
    }
}

/// How much a source prefers a slot: less is more. Does not depend on which other slots there are, so that a worker
/// that goes or comes moves no source but its own.
pub(super) fn preference(source: u64, slot: u32) -> u64 {
    // The finaliser of SplitMix64, which changes half of the bits of the result for each bit of the argument.
    let mut z = source ^ (u64::from(slot) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

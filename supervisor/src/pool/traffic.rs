//! The part of the pool that knows lanes and connections: what may be dispatched where, and which lanes are not moving.
//! It touches no connection: it names them.

use super::balancer::Balancer;
use super::lane::{Count, GaveBack, Lane, Standing};
use super::pool::{Phase, Pool};
use super::state::Event;
use super::worker::Worker;
use super::{Note, Output, Timer};
use crate::ids::{BalancerId, ConnId, LaneId, WorkerId};
use std::time::Instant;

impl Pool {
    pub(super) fn balancer_opened(&mut self, id: BalancerId) {
        match self.phase {
            Phase::Idle | Phase::Serving => {
                self.balancers.entry(id).or_insert_with(|| Balancer::new(id));
            }
            Phase::Stopping | Phase::Done(_) if self.balancers.contains_key(&id) => {}
            Phase::Stopping | Phase::Done(_) => {
                self.outbox.push_back(Output::CloseBalancer { balancer: id });
            }
        }
    }

    pub(super) fn lane_opened(&mut self, now: Instant, id: LaneId, worker: WorkerId, to: BalancerId) {
        if self.lanes.contains_key(&id) {
            return;
        }
        let stopping = self.current(worker).filter(|worker| worker.is_live()).map(Worker::is_stopping);
        let known = self.balancers.contains_key(&to);
        let Some(stopping) = stopping.filter(|_| known) else {
            // Nobody of ours receives from it; and if it was to be the first of its balancer, there is none.
            self.outbox.push_back(Output::Retire { lane: id });
            if let Some(balancer) = self.balancers.get_mut(&to) {
                balancer.served = true;
                self.close_unserved();
            }
            return;
        };
        let first = !self.serves(worker, to);
        if first {
            self.note(Note::Listening { worker, balancer: to });
        }
        let effect = self.apply(now, worker, Event::Listened);
        self.follow(worker, effect);
        let standing = if stopping { Standing::Leaving } else { Standing::Ready };
        let lane = Lane::new(worker, to, standing);
        if let Some(balancer) = self.balancers.get_mut(&to) {
            balancer.served = true;
            if standing == Standing::Ready {
                balancer.enter(lane.turn, id);
            }
        }
        self.lanes.insert(id, lane);
        self.pump(now, to);
        self.launch(now);
        self.close_unserved();
    }

    pub(super) fn lane_closed(&mut self, now: Instant, id: LaneId) {
        let Some(lane) = self.lanes.remove(&id) else { return };
        let (worker, balancer) = (lane.worker(), lane.balancer());
        if let Some(balancer) = self.balancers.get_mut(&balancer) {
            balancer.leave(id);
        }
        self.outbox.push_back(Output::Retire { lane: id });
        if !self.serves(worker, balancer) {
            self.note(Note::StoppedListening { worker, balancer });
        }
        if self.is_unserved(balancer) && !self.is_anyone_coming() {
            self.close_balancer(balancer);
        } else {
            self.pump(now, balancer);
        }
    }

    pub(super) fn accepted(&mut self, now: Instant, conn: ConnId, id: BalancerId) {
        match self.balancers.get_mut(&id) {
            Some(balancer) => {
                balancer.accepted.push_back(conn);
                self.pump(now, id);
            }
            None => self.outbox.push_back(Output::Refuse { conn }),
        }
    }

    pub(super) fn returned(&mut self, now: Instant, conn: ConnId, id: BalancerId) {
        let Some(balancer) = self.balancers.get_mut(&id) else {
            self.outbox.push_back(Output::Refuse { conn });
            return;
        };
        balancer.returned.push_back(conn);
        for (&lane_id, lane) in self.lanes.iter_mut().filter(|(_, lane)| lane.balancer() == id) {
            let GaveBack::LookAt(look) = lane.gave_back(now, conn, &self.settings) else { continue };
            if let Some(at) = look {
                self.deadlines.lower(at, Timer::Look);
            }
            // The shell measured it as full before; where it did not, the lane still is not to be tried again at once.
            if lane.standing == Standing::Ready {
                lane.standing = Standing::Full;
                balancer.leave(lane_id);
                self.outbox.push_back(Output::Watch { lane: lane_id });
            }
            break;
        }
        self.pump(now, id);
    }

    pub(super) fn measured(&mut self, now: Instant, id: LaneId, waiting: u32) {
        let Some(balancer) = self.observe(now, id, waiting, Count::AtMost) else { return };
        // What was watched has been told, and is not over.
        if self.lanes.get(&id).is_some_and(|lane| matches!(lane.standing, Standing::Full | Standing::Suspect))
        {
            self.outbox.push_back(Output::Watch { lane: id });
        }
        self.pump(now, balancer);
    }

    pub(super) fn looked(&mut self, now: Instant, id: LaneId, waiting: u32) {
        let was = self.lanes.get(&id).map(Lane::standing);
        let Some(balancer) = self.observe(now, id, waiting, Count::Exact) else { return };
        let suspect = self.judge(now, id);
        let is = self.lanes.get(&id).map(Lane::standing);
        if suspect || (is == Some(Standing::Full) && was != is) {
            self.outbox.push_back(Output::Watch { lane: id });
        }
        self.pump(now, balancer);
    }

    pub(super) fn look_timers(&mut self, now: Instant) {
        for (&id, lane) in &mut self.lanes {
            if lane.look_due(now, &self.settings) {
                self.outbox.push_back(Output::Look { lane: id });
            }
        }
    }

    /// So many wait in the lane: it may join or leave the rotation. Returns its balancer.
    fn observe(&mut self, now: Instant, id: LaneId, waiting: u32, count: Count) -> Option<BalancerId> {
        let lane = self.lanes.get_mut(&id)?;
        let balancer = self.balancers.get_mut(&lane.balancer())?;
        let look = lane.observe(now, waiting, count, &self.settings);
        let (was, worker) = (lane.standing, lane.worker());
        let has_room = waiting < self.settings.window;
        lane.standing = match was {
            Standing::Ready | Standing::Full if has_room => Standing::Ready,
            Standing::Ready | Standing::Full => Standing::Full,
            Standing::Suspect if waiting == 0 => Standing::Ready,
            Standing::Suspect | Standing::Leaving => was,
        };
        match (was, lane.standing) {
            (Standing::Ready, Standing::Full) => balancer.leave(id),
            (Standing::Full, Standing::Ready) => balancer.enter(lane.turn, id),
            (Standing::Suspect, Standing::Ready) => {
                // It gets its first connection after all others have got one.
                lane.turn = balancer.last_turn();
                balancer.enter(lane.turn, id);
                self.outbox.push_back(Output::Note(Note::Recovered { worker, balancer: balancer.id() }));
            }
            _ => {}
        }
        if balancer.measuring == Some(id) {
            balancer.measuring = None;
        }
        let balancer = balancer.id();
        self.look_at(look);
        Some(balancer)
    }

    /// A lane from which nothing was taken for too long becomes a suspect, but never more than half of a balancer's.
    fn judge(&mut self, now: Instant, id: LaneId) -> bool {
        let Some(lane) = self.lanes.get(&id) else { return false };
        let Some(waited) = lane.stuck_for(now, &self.settings) else { return false };
        if !matches!(lane.standing, Standing::Ready | Standing::Full) {
            return false;
        }
        let (worker, balancer) = (lane.worker(), lane.balancer());
        let (mut serving, mut suspects) = (0, 0);
        for lane in self.lanes.values().filter(|lane| lane.balancer() == balancer) {
            serving += usize::from(lane.standing != Standing::Leaving);
            suspects += usize::from(lane.standing == Standing::Suspect);
        }
        if suspects + 1 > serving / 2 {
            return false;
        }
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.become_suspect(now);
        }
        if let Some(balancer) = self.balancers.get_mut(&balancer) {
            balancer.leave(id);
        }
        self.outbox.push_back(Output::TakeBack { lane: id });
        self.note(Note::Suspect { worker, balancer, waited });
        true
    }

    /// Every worker stops: no lane is in rotation. What waits in them may still be taken.
    pub(super) fn lanes_leave(&mut self) {
        for (&id, lane) in &mut self.lanes {
            lane.standing = Standing::Leaving;
            if let Some(balancer) = self.balancers.get_mut(&lane.balancer()) {
                balancer.leave(id);
            }
        }
    }

    /// The worker is gone: its lanes are closed, and what waits in them comes back.
    pub(super) fn retire_lanes_of(&mut self, worker: WorkerId) {
        let Self { lanes, balancers, outbox, .. } = self;
        lanes.retain(|&id, lane| {
            if lane.worker() != worker {
                return true;
            }
            if let Some(balancer) = balancers.get_mut(&lane.balancer()) {
                balancer.leave(id);
            }
            outbox.push_back(Output::Retire { lane: id });
            false
        });
    }

    /// Closes the balancers that nobody serves, once every worker has had its time to listen on them. That a worker
    /// is running is not enough: it may listen on one address a moment before another.
    pub(super) fn close_unserved(&mut self) {
        if self.workers.iter().any(Worker::may_yet_listen) {
            return;
        }
        while let Some(id) = self.balancers.keys().copied().find(|id| self.is_unserved(*id)) {
            self.close_balancer(id);
        }
    }

    /// Refuses what is held for the balancer and forgets it.
    pub(super) fn close_balancer(&mut self, id: BalancerId) {
        let Some(mut balancer) = self.balancers.remove(&id) else { return };
        self.outbox.extend(balancer.drain_held().map(|conn| Output::Refuse { conn }));
        // The note first: the shell still knows the address.
        self.note(Note::BalancerClosed { balancer: id });
        self.outbox.push_back(Output::CloseBalancer { balancer: id });
    }

    /// It has had lanes and has none.
    fn is_unserved(&self, id: BalancerId) -> bool {
        self.balancers.get(&id).is_some_and(|balancer| balancer.served)
            && !self.lanes.values().any(|lane| lane.balancer() == id)
    }

    fn serves(&self, worker: WorkerId, balancer: BalancerId) -> bool {
        self.lanes.values().any(|lane| lane.worker() == worker && lane.balancer() == balancer)
    }
}

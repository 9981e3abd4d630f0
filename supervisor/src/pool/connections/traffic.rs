//! The part of the pool that knows connections that the shell holds, and lanes that are counted: what may be dispatched where, and which
//! lanes are not moving. It touches no connection: it names them.

use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::pool::balancers::balancer::{Held, Pumped};
use crate::pool::lanes::contents::GaveBack;
use crate::pool::lanes::lane::Count;
use crate::pool::lanes::status::{Eligibility, LaneState};
use crate::pool::{Balancer, Deadline, Lane, LaneStatus, Note, Output, Pool, Timer};
use std::ops::Bound;
use std::time::Instant;

impl Pool {
    /// Dispatches what is held for the balancer as far as it goes.
    pub(in crate::pool) fn pump(&mut self, now: Instant, id: BalancerId) {
        if let Some(worker) = self.pump_until_limit(now, id) {
            self.update_eligibility(now, worker);
            // Others may have counted on the worker as well.
            self.pump_all(now);
        }
    }

    pub(in crate::pool) fn pump_all(&mut self, now: Instant) {
        let mut next = self.balancers.keys().next().copied();
        while let Some(id) = next {
            next = match self.pump_until_limit(now, id) {
                Some(worker) => {
                    self.update_eligibility(now, worker);
                    self.balancers.keys().next().copied()
                }
                None => {
                    self.balancers.range((Bound::Excluded(id), Bound::Unbounded)).next().map(|(id, _)| *id)
                }
            };
        }
    }

    /// Dispatches until a worker has as many connections as it may, and tells which.
    fn pump_until_limit(&mut self, now: Instant, id: BalancerId) -> Option<WorkerId> {
        let Self { balancers, lanes, processes, settings, outbox, .. } = self;
        let Pumped { look, at_limit, spent } =
            balancers.get_mut(&id)?.pump(now, settings, lanes, processes, outbox);
        self.look_at(look);
        if spent && self.spent.is_none() && self.may_roll() {
            // Looked into once what is under way here is done.
            self.spent = Some(now);
            self.deadlines.lower(now, Timer::Recycle);
        }
        at_limit
    }

    pub(in crate::pool) fn look_at(&mut self, look: Option<Deadline>) {
        if let Some(at) = look {
            self.deadlines.lower(at, Timer::Look);
        }
    }

    pub(in crate::pool) fn accepted(&mut self, now: Instant, held: Held, id: BalancerId) {
        match self.balancers.get_mut(&id).filter(|balancer| !balancer.refusing) {
            Some(balancer) => {
                balancer.accepted.push_back(held);
                self.pump(now, id);
            }
            None => self.outbox.push_back(Output::Refuse { conn: held.conn }),
        }
    }

    pub(in crate::pool) fn returned(&mut self, now: Instant, held: Held, id: BalancerId) {
        let Some(balancer) = self.balancers.get_mut(&id).filter(|balancer| !balancer.refusing) else {
            self.outbox.push_back(Output::Refuse { conn: held.conn });
            return;
        };
        balancer.returned.push_back(held);
        let mut relieved = None;
        for (&lane_id, lane) in self.lanes.iter_mut().filter(|(_, lane)| lane.balancer() == id) {
            let GaveBack::LookAt(look) = lane.gave_back(now, held.conn, &self.settings) else { continue };
            if let Some(at) = look {
                self.deadlines.lower(at, Timer::Look);
            }
            let id = lane.worker();
            if let Some(worker) = self.processes.active_mut(id) {
                worker.load.took_back();
                relieved = Some(id);
            }
            // The shell measured it as full before; where it did not, the lane still is not to be tried again at once.
            if lane.state == LaneState::Ready {
                lane.state = LaneState::Full;
                balancer.leave(lane_id);
                self.outbox.push_back(Output::Watch { lane: lane_id });
            }
            break;
        }
        if let Some(worker) = relieved {
            self.update_eligibility(now, worker);
            self.pump_all(now);
        } else {
            self.pump(now, id);
        }
        self.make_room(now, id);
    }

    pub(in crate::pool) fn measured(&mut self, now: Instant, id: LaneId, waiting: u32) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.had_its_turn(waiting);
            let balancer = lane.balancer();
            let asked = self.balancers.get(&balancer).is_some_and(|balancer| balancer.measuring == Some(id));
            if !asked && self.balancers.get(&balancer).is_some_and(Balancer::is_by_credit) {
                return self.seen_unasked(now, id, waiting);
            }
        }
        let Some(balancer) = self.observe(now, id, waiting, Count::AtMost) else { return };
        // What was watched has been told, and is not over.
        if self.lanes.get(&id).is_some_and(|lane| lane.state != LaneState::Ready) {
            self.outbox.push_back(Output::Watch { lane: id });
        }
        self.pump(now, balancer);
    }

    /// The lane did not take a connection. Which one that was does not matter: several may be on their way to it.
    pub(in crate::pool) fn no_room(&mut self, now: Instant, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id).filter(|lane| lane.state == LaneState::Ready) else {
            return;
        };
        lane.state = LaneState::Full;
        let balancer = lane.balancer();
        if let Some(balancer) = self.balancers.get_mut(&balancer) {
            balancer.leave(id);
        }
        self.outbox.push_back(Output::Watch { lane: id });
        self.pump(now, balancer);
    }

    /// The lane's requests are long, or no longer.
    pub(in crate::pool) fn one_by_one(&mut self, now: Instant, id: LaneId, on: bool) {
        // While it has an open credit it is not told of its turns, nor is it seen whether its thread waits.
        if on && self.lanes.get(&id).is_some_and(|lane| lane.open || lane.rests) {
            self.revoke(now, id);
        }
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.one_by_one = on;
            // It has room for what is held.
            let balancer = lane.balancer();
            self.pump(now, balancer);
        }
    }

    pub(in crate::pool) fn looked(&mut self, now: Instant, id: LaneId, waiting: u32) {
        let was = self.lanes.get(&id).map(|lane| lane.state);
        let Some(balancer) = self.observe(now, id, waiting, Count::Exact) else { return };
        let suspect = self.judge(now, id);
        let is = self.lanes.get(&id).map(|lane| lane.state);
        if suspect || (is == Some(LaneState::Full) && was != is) {
            self.outbox.push_back(Output::Watch { lane: id });
        }
        self.examine_holder(id);
        self.pump(now, balancer);
    }

    pub(in crate::pool) fn look_timers(&mut self, now: Instant) {
        for (&id, lane) in &mut self.lanes {
            if lane.look_due(now, &self.settings) {
                self.outbox.push_back(Output::Look { lane: id });
            }
        }
    }

    /// So many wait in the lane: it may join or leave the rotation. Returns its balancer.
    pub(in crate::pool) fn observe(
        &mut self,
        now: Instant,
        id: LaneId,
        waiting: u32,
        count: Count,
    ) -> Option<BalancerId> {
        let lane = self.lanes.get_mut(&id)?;
        let balancer = self.balancers.get_mut(&lane.balancer())?;
        let waiting = lane.waiting(waiting);
        let had = lane.in_flight();
        let look = lane.observe(now, waiting, count, &self.settings);
        // By a single that it used it may have found nothing.
        let may_have_fewer = lane.credit && lane.in_flight() < had;
        let (was, was_ready, worker) = (lane.state, lane.is_ready(), lane.worker());
        // That nothing is in the lane does not tell whether its thread waits.
        let has_room =
            waiting < lane.window(&self.settings) && !(lane.state == LaneState::Full && lane.is_busy());
        lane.state = match was {
            LaneState::Ready | LaneState::Full if has_room => LaneState::Ready,
            LaneState::Ready | LaneState::Full => LaneState::Full,
            LaneState::Suspect | LaneState::Left if waiting == 0 => LaneState::Ready,
            LaneState::Suspect | LaneState::Left => was,
        };
        if matches!(was, LaneState::Suspect | LaneState::Left) && lane.state == LaneState::Ready {
            // It gets its first connection after all others have got one.
            lane.turn = balancer.last_turn();
            lane.recover();
            if was == LaneState::Suspect && lane.is_usable() && lane.eligibility != Eligibility::Suspect {
                self.outbox.push_back(Output::Note(Note::Recovered { worker, balancer: balancer.id() }));
            }
        }
        match (was_ready, lane.is_ready()) {
            (true, false) => balancer.leave(id),
            (false, true) => balancer.enter(id, lane),
            (true, true) | (false, false) => {}
        }
        if balancer.measuring == Some(id) {
            balancer.measuring = None;
        }
        let balancer = balancer.id();
        self.look_at(look);
        if may_have_fewer {
            self.count_anew(now, worker);
        }
        if matches!(was, LaneState::Suspect | LaneState::Left) {
            self.tell_suspicion(worker);
        }
        Some(balancer)
    }

    /// A lane from which nothing was taken for too long becomes a suspect, but never more than half of a balancer's.
    fn judge(&mut self, now: Instant, id: LaneId) -> bool {
        let Some(lane) = self.lanes.get(&id) else { return false };
        let Some(waited) = lane.stuck_for(now, &self.settings) else { return false };
        let (worker, balancer) = (lane.worker(), lane.balancer());
        let may_be = match (lane.state, lane.eligibility) {
            (LaneState::Suspect | LaneState::Left, _) | (_, Eligibility::Stopping) => false,
            // It is out of rotation as it is; what waits in it goes to others if there are any.
            (LaneState::Ready | LaneState::Full, Eligibility::Cordoned | Eligibility::Waiting) => {
                self.rotates(balancer)
            }
            (LaneState::Ready | LaneState::Full, Eligibility::Suspect) => {
                lane.is_waited_in() && self.rotates(balancer)
            }
            (LaneState::Ready | LaneState::Full, Eligibility::Open | Eligibility::AtLimit) => {
                let (mut serving, mut suspects) = (0, 0);
                let usable =
                    |lane: &&Lane| lane.balancer() == balancer && lane.is_usable() && !lane.is_left();
                for lane in self.lanes.values().filter(usable) {
                    serving += 1;
                    suspects += usize::from(lane.status() == LaneStatus::Suspect);
                }
                let spared = || self.has_well_sibling(id, lane);
                suspects < serving / 2 && (spared() || self.has_room_for_suspect(now, worker))
            }
        };
        if !may_be {
            return false;
        }
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.become_suspect(now);
        }
        if let Some(balancer) = self.balancers.get_mut(&balancer) {
            balancer.leave(id);
            balancer.has_suspects();
        }
        // By the void record it shows when something is taken again.
        self.outbox.push_back(Output::Vacate { lane: id });
        self.count_anew(now, worker);
        self.look_again(balancer);
        self.note(Note::Suspect { worker, balancer, waited });
        self.tell_suspicion(worker);
        true
    }

    fn rotates(&self, balancer: BalancerId) -> bool {
        self.balancers.get(&balancer).is_some_and(|balancer| !balancer.rotation.is_empty())
    }

    /// So many wait at the socket of the lane, for its worker alone.
    pub(in crate::pool) fn queued_at(&mut self, id: LaneId, waiting: u32) {
        if let Some(lane) = self.lanes.get_mut(&id).filter(|_| waiting > 0) {
            lane.is_waited_at();
        }
    }
}

//! The part of the pool that knows lanes and connections: what may be dispatched where, and which lanes are not moving.
//! It touches no connection: it names them.

use super::balancer::{Balancer, Held};
use super::lane::{Count, Eligibility, GaveBack, Lane, LaneState};
use super::pool::{Phase, Pool};
use super::process::Process;
use super::state::Event;
use super::{LaneStatus, Note, Output, Timer};
use crate::ids::{BalancerId, LaneId, WorkerId};
use std::time::Instant;

impl Pool {
    pub(super) fn lane_opened(&mut self, now: Instant, id: LaneId, worker: WorkerId, to: BalancerId) {
        if self.lanes.contains_key(&id) {
            return;
        }
        let live = self.processes.active(worker).is_some_and(Process::is_live) || self.keeps_lanes(worker);
        if !live || !self.balancers.contains_key(&to) {
            // Nobody of ours receives from it; and if it was to be the first of its balancer, there is none.
            self.outbox.push_back(Output::Retire { lane: id });
            if let Some(balancer) = self.balancers.get_mut(&to) {
                balancer.served = true;
                self.close_unserved();
            }
            return;
        }
        let first = !self.serves(worker, to);
        if first {
            self.note(Note::Listening { worker, balancer: to });
        }
        self.ever_listened = true;
        self.note_opened(now, worker, to);
        self.refusals.listened(worker, to);
        if self.settings.ready_by_lane {
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

    pub(super) fn lane_closed(&mut self, now: Instant, id: LaneId) {
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

    pub(super) fn accepted(&mut self, now: Instant, held: Held, id: BalancerId) {
        match self.balancers.get_mut(&id).filter(|balancer| !balancer.refusing) {
            Some(balancer) => {
                balancer.accepted.push_back(held);
                self.pump(now, id);
            }
            None => self.outbox.push_back(Output::Refuse { conn: held.conn }),
        }
    }

    pub(super) fn returned(&mut self, now: Instant, held: Held, id: BalancerId) {
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

    pub(super) fn measured(&mut self, now: Instant, id: LaneId, waiting: u32) {
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

    /// The lane's requests are long, or no longer.
    pub(super) fn one_by_one(&mut self, now: Instant, id: LaneId, on: bool) {
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

    pub(super) fn looked(&mut self, now: Instant, id: LaneId, waiting: u32) {
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

    pub(super) fn look_timers(&mut self, now: Instant) {
        for (&id, lane) in &mut self.lanes {
            if lane.look_due(now, &self.settings) {
                self.outbox.push_back(Output::Look { lane: id });
            }
        }
    }

    /// So many wait in the lane: it may join or leave the rotation. Returns its balancer.
    pub(super) fn observe(
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

    pub(super) fn open_connections(&mut self, now: Instant, id: WorkerId, open: u64) {
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
    pub(super) fn count_anew(&mut self, now: Instant, id: WorkerId) {
        let Some(worker) = self.processes.active_mut(id) else { return };
        worker.load.count_anew(now);
        if let Some(at) = worker.load.count_at() {
            self.deadlines.lower(at, Timer::Count);
        }
    }

    /// What a worker's lanes may be given follows from its state, its cordon and its connections, all of which may have
    /// changed: they leave the rotation or come back.
    pub(super) fn update_eligibility(&mut self, now: Instant, id: WorkerId) {
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

    /// The worker is gone: its lanes are closed, and what waits in them comes back.
    pub(super) fn retire_lanes_of(&mut self, worker: WorkerId) {
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

//! Processes that no longer count as their slot's, because another has their place: found hung, or replaced as they were.
//! They need no boot slot and are not started again; only one that drains has lanes.

use super::pool::Pool;
use super::state::{Effect, Event, transition};
use super::stop::Stop;
use super::{Deadline, Exit, Note, Settings, State, Then, Timer};
use crate::ids::WorkerId;
use std::time::{Duration, Instant};

/// A process on its way out beside the one that its slot has now.
#[derive(Clone, Copy, Debug)]
pub struct Leaving {
    id: WorkerId,
    stop: Stop,
    /// What follows it.
    then: Then,
    /// It may still take what it had been given when it left.
    pub(super) keeps_lanes: bool,
}

impl Leaving {
    pub(super) fn new(id: WorkerId, stop: Stop, then: Then) -> Self {
        Self { id, stop, then, keeps_lanes: false }
    }

    /// It works, and may finish what it has.
    pub(super) fn after(id: WorkerId, stop: Stop, then: Then) -> Self {
        Self { id, stop, then, keeps_lanes: true }
    }

    /// The incarnation that leaves.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// Its first process, when it was spawned, and when it is killed.
    pub fn stop(&self) -> Stop {
        self.stop
    }

    /// What it waits for: never both.
    pub(super) fn timer(&self) -> Option<(Deadline, Timer)> {
        let drain = self.stop.drain_until.map(|at| (at, Timer::Drain));
        drain.or(self.stop.force_at.map(|at| (at, Timer::Force)))
    }

    /// The table of states knows what becomes of who stops.
    fn apply(&mut self, now: Instant, event: Event, settings: &Settings) -> Effect {
        let (state, effect) = transition(State::Stopping(self.stop), event, now, settings);
        if let State::Stopping(stop) = state {
            self.stop = stop;
        }
        effect
    }
}

impl Pool {
    /// One of these is gone: that is noted, and starts nothing. False if it is none of these.
    pub(super) fn leaving_exited(&mut self, now: Instant, id: WorkerId, exit: Exit) -> bool {
        let Some(place) = self.leaving.iter().position(|leaving| leaving.id == id) else { return false };
        let Leaving { stop, then, .. } = self.leaving.remove(place);
        // One that came to nothing before it had the slot is no end of the slot's.
        if let Some(worker) = self.workers.get_mut(id.slot as usize).filter(|_| then != Then::Failed) {
            worker.last_exit = Some(exit);
        }
        let uptime = now.saturating_duration_since(stop.since);
        self.note(Note::Exited { worker: id, exit, uptime, retry_in: None, then });
        self.let_go(now, id);
        true
    }

    /// An event for those that leave the slot, or for all that leave.
    pub(super) fn act_on_leaving(&mut self, now: Instant, slot: Option<u32>, event: Event) {
        // Whoever stops a cluster that has no time to stop waits for nobody.
        let at_once = self.settings.stop_timeout == Some(Duration::ZERO);
        let event = if event == Event::Shutdown && at_once { Event::Kill } else { event };
        for place in 0..self.leaving.len() {
            let leaving = &mut self.leaving[place];
            if slot.is_none_or(|slot| slot == leaving.id.slot) {
                let effect = leaving.apply(now, event, &self.settings);
                let id = leaving.id;
                self.follow(id, effect);
            }
        }
    }

    /// Those that had their time to drain are stopped, and those that had their time to stop are killed.
    pub(super) fn leaving_timers(&mut self, now: Instant) {
        for place in 0..self.leaving.len() {
            let leaving = &mut self.leaving[place];
            if let Some((_, timer)) = leaving.timer().filter(|(at, _)| *at <= now) {
                let event = if timer == Timer::Drain { Event::DrainDue } else { Event::ForceDue };
                let effect = leaving.apply(now, event, &self.settings);
                let id = leaving.id;
                self.follow(id, effect);
            }
        }
    }

    /// Nothing is under way in the worker's connections any more.
    pub(super) fn became_quiet(&mut self, now: Instant, id: WorkerId) {
        if !self.leaving_told(now, id, Event::Quiet) {
            self.act_on(now, id, Event::Quiet);
        }
    }

    /// An event for one of these. False if it is none of them.
    pub(super) fn leaving_told(&mut self, now: Instant, id: WorkerId, event: Event) -> bool {
        let Some(leaving) = self.leaving.iter_mut().find(|leaving| leaving.id == id) else { return false };
        let effect = leaving.apply(now, event, &self.settings);
        self.follow(id, effect);
        true
    }

    /// No process came of the order for one of these. False if it is none of them, or has a process.
    pub(super) fn leaving_not_spawned(&mut self, now: Instant, id: WorkerId) -> bool {
        let absent = |leaving: &Leaving| leaving.id == id && leaving.stop.pid.is_none();
        let Some(place) = self.leaving.iter().position(absent) else { return false };
        self.leaving.remove(place);
        self.let_go(now, id);
        true
    }

    fn let_go(&mut self, now: Instant, id: WorkerId) {
        self.retire_lanes_of(id);
        self.remove_gone();
        self.pump_all(now);
        self.close_unserved();
    }

    /// The process leaves and has its lanes yet.
    pub(super) fn keeps_lanes(&self, id: WorkerId) -> bool {
        self.leaving.iter().any(|leaving| leaving.id == id && leaving.keeps_lanes)
    }

    /// How many processes of which another has the place have yet to finish what they have.
    pub(super) fn replaced_and_not_gone(&self) -> u32 {
        self.leaving.iter().filter(|leaving| leaving.keeps_lanes).count() as u32
    }

    /// Another process of the slot is on its way out, or in: one that comes to the slot later must not get its name.
    pub(super) fn is_left(&self, slot: u32) -> bool {
        self.leaving.iter().any(|leaving| leaving.id.slot == slot)
            || self.workers.successors.iter().any(|worker| worker.id().slot == slot)
    }
}

//! Processes that no longer count as their slot's: found hung, told to stop, and another takes their place.
//! They have no lanes, need no boot slot and are not started again.

use super::pool::Pool;
use super::state::{Effect, Event, Stop, transition};
use super::{Deadline, Exit, Note, Settings, State, Then};
use crate::ids::WorkerId;
use std::time::{Duration, Instant};

/// A process on its way out beside the one that its slot has now.
#[derive(Clone, Copy, Debug)]
pub struct Leaving {
    id: WorkerId,
    stop: Stop,
    /// Another was to take its place.
    replaced: bool,
}

impl Leaving {
    pub(super) fn new(id: WorkerId, stop: Stop, replaced: bool) -> Self {
        Self { id, stop, replaced }
    }

    /// The incarnation that leaves.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// Its first process, when it was spawned, and when it is killed.
    pub fn stop(&self) -> Stop {
        self.stop
    }

    pub(super) fn force_at(&self) -> Option<Deadline> {
        self.stop.force_at
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
        let Leaving { stop, replaced, .. } = self.leaving.remove(place);
        if let Some(worker) = self.workers.get_mut(id.slot as usize) {
            worker.last_exit = Some(exit);
        }
        let uptime = now.saturating_duration_since(stop.since);
        let then = if replaced { Then::Replaced } else { Then::BudgetSpent };
        self.note(Note::Exited { worker: id, exit, uptime, retry_in: None, then });
        self.remove_gone();
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

    /// Those that had their time to stop are killed.
    pub(super) fn leaving_timers(&mut self, now: Instant) {
        for place in 0..self.leaving.len() {
            let leaving = &mut self.leaving[place];
            if leaving.force_at().is_some_and(|at| at <= now) {
                let effect = leaving.apply(now, Event::ForceDue, &self.settings);
                let id = leaving.id;
                self.follow(id, effect);
            }
        }
    }

    pub(super) fn is_left(&self, slot: u32) -> bool {
        self.leaving.iter().any(|leaving| leaving.id.slot == slot)
    }
}

//! The part of the pool that knows which processes retire: another has their place, and they only have to end. They need no boot
//! slot and are not started again. What becomes of them is in the table like what becomes of others.

use super::follow::Cause;
use super::pool::Pool;
use super::process::Process;
use super::state::Event;
use crate::ids::WorkerId;
use std::time::{Duration, Instant};

impl Pool {
    /// An event for those of the slot that retire, or for all that do.
    pub(super) fn act_on_retiring(&mut self, now: Instant, slot: Option<u32>, event: Event) {
        // Whoever stops a cluster that has no time to stop waits for nobody.
        let at_once = self.settings.stop_timeout == Some(Duration::ZERO);
        let event = if event == Event::Shutdown && at_once { Event::Kill } else { event };
        for id in self.processes.retiring().map(Process::id).collect::<Vec<_>>() {
            if slot.is_none_or(|slot| slot == id.slot) {
                self.act_at(now, self.processes.find_retiring(id), event, Cause::Known);
            }
        }
    }

    /// The process retires and has its lanes yet.
    pub(super) fn keeps_lanes(&self, id: WorkerId) -> bool {
        self.processes.retiring().any(|process| process.id() == id && process.keeps_lanes())
    }

    /// How many processes of which another has the place have yet to finish what they have.
    pub(super) fn replaced_and_not_gone(&self) -> u32 {
        self.processes.retiring().filter(|process| process.keeps_lanes()).count() as u32
    }

    /// Another process of the slot is on its way out, or in: one that comes to the slot later must not get its name.
    pub(super) fn is_left(&self, slot: u32) -> bool {
        self.processes.retiring().chain(self.processes.successors()).any(|process| process.id().slot == slot)
    }
}

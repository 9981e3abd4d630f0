//! The part of the pool that knows which processes retire: another has their place, and they only have to end. They need no boot
//! slot and are not started again. What becomes of them is in the table like what becomes of others.

use super::follow::Cause;
use crate::ids::WorkerId;
use crate::pool::workers::event::Event;
use crate::pool::workers::process::Process;
use crate::pool::{Exit, Pool, Signal, State};
use std::time::{Duration, Instant};

impl Pool {
    /// The first process of the worker has ended while others of it live, as when the parent of a preforking server is killed. Nobody
    /// replaces these children any more, so another process starts, as after any death, and they serve on until they have drained.
    /// One that has not served yet has nothing to finish: what is left of it is killed, and its end follows.
    pub(in crate::pool) fn main_ended(&mut self, now: Instant, id: WorkerId, exit: Exit) {
        let place = self.processes.find_active(id);
        let Some(process) = place.and_then(|place| self.processes.at(place)) else { return };
        match process.state() {
            State::Running { .. } if process.is_current() => {
                self.act_at(now, place, Event::MainEnded, Cause::Exit(exit));
            }
            State::Starting { .. } | State::Running { .. } => self.signal(id, Signal::Kill),
            // It is on its way out as it is.
            State::Standby { .. } | State::Stopping(_) => {}
        }
    }

    /// An event for those of the slot that retire, or for all that do.
    pub(in crate::pool) fn act_on_retiring(&mut self, now: Instant, slot: Option<u32>, event: Event) {
        // Whoever stops a cluster that has no time to stop waits for nobody.
        let at_once = self.settings.stop.timeout() == Some(Duration::ZERO);
        let event = if event == Event::Shutdown && at_once { Event::Kill } else { event };
        for id in self.processes.retiring().map(Process::id).collect::<Vec<_>>() {
            if slot.is_none_or(|slot| slot == id.slot) {
                self.act_at(now, self.processes.find_retiring(id), event, Cause::Known);
            }
        }
    }

    /// The process retires and has its lanes yet.
    pub(in crate::pool) fn keeps_lanes(&self, id: WorkerId) -> bool {
        self.processes.retiring().any(|process| process.id() == id && process.keeps_lanes())
    }

    /// How many processes of which another has the place have yet to finish what they have.
    pub(in crate::pool) fn replaced_and_not_gone(&self) -> u32 {
        self.processes.retiring().filter(|process| process.keeps_lanes()).count() as u32
    }

    /// Another process of the slot is on its way out, or in: one that comes to the slot later must not get its name.
    pub(in crate::pool) fn is_left(&self, slot: u32) -> bool {
        self.processes.retiring().chain(self.processes.successors()).any(|process| process.id().slot == slot)
    }
}

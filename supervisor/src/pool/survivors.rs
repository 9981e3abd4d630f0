//! Workers whose first process has ended while others of theirs live, as when the parent of a preforking server is killed:
//! nobody replaces these children any more, so the worker gets a new process. It does not know the processes.

use super::follow::Cause;
use super::pool::Pool;
use super::state::{Event, State};
use super::{Exit, Signal};
use crate::ids::WorkerId;
use std::time::Instant;

impl Pool {
    /// Those that live serve on until they have drained; another process starts beside them as after any death. One that
    /// has not served yet has nothing to finish: what is left of it is killed, and its end follows.
    pub(super) fn main_ended(&mut self, now: Instant, id: WorkerId, exit: Exit) {
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
}

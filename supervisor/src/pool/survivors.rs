//! Workers whose first process has ended while others of theirs live, as when the parent of a preforking server is killed:
//! nobody replaces these children any more, so the worker gets a new process. It does not know the processes.

use super::leaving::Leaving;
use super::pool::Pool;
use super::state::{Effect, Event, State};
use super::stop::leave;
use super::{Exit, Next, Note, Signal};
use crate::ids::WorkerId;
use std::time::Instant;

impl Pool {
    /// Those that live serve on until they have drained; another process starts beside them as after any death. One that
    /// has not served yet has nothing to finish: what is left of it is killed, and its end follows.
    pub(super) fn main_ended(&mut self, now: Instant, id: WorkerId, exit: Exit) {
        let Some(worker) = self.current(id) else { return };
        let (since, own) = match worker.state() {
            State::Running { since, .. } => (since, !self.is_successor(id)),
            State::Starting { .. } => return self.signal(id, Signal::Kill),
            // It is on its way out as it is.
            State::Standby { .. } | State::Stopping(_) => return,
        };
        if !own {
            return self.signal(id, Signal::Kill);
        }
        let pid = worker.pid();
        let Effect::Hung(_) = self.apply(now, id, Event::Hung) else { return };
        let uptime = now.saturating_duration_since(since);
        let (retry_in, then) = self.follow_up(now, id, false, uptime);
        let (state, effect) = leave(pid, since, Next::Nothing, None, now, &self.settings);
        if let State::Stopping(stop) = state {
            self.leaving.push(Leaving::after(id, stop, then));
        }
        if let Some(worker) = self.workers.get_mut(id.slot as usize) {
            worker.last_exit = Some(exit);
        }
        self.note(Note::MainEnded { worker: id, exit, retry_in, then });
        self.tell_state(id);
        self.regate(now, id);
        self.tell_suspicion(id);
        self.follow(id, effect);
        self.remove_gone();
        self.pump_all(now);
        self.launch(now);
        self.close_unserved();
    }
}

//! What a worker's process has said of itself: that it is ready, about to end, or takes longer to start. What follows for
//! its lanes and its start is decided here; no word of it is taken for more than its own.

use super::pool::Pool;
use super::state::Event;
use super::{Deadline, Note, State};
use crate::ids::WorkerId;
use std::time::{Duration, Instant};

/// What the process in a slot has announced.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Promise {
    /// It is about to end.
    pub(super) resigned: bool,
    /// It will be ready by then.
    extended: Option<Deadline>,
}

impl Promise {
    /// When it must be ready: at `limit`, or later if it has said so.
    pub(super) fn start_by(&self, limit: Deadline) -> Deadline {
        self.extended.map_or(limit, |extended| limit.max(extended))
    }
}

impl Pool {
    /// It is ready, whatever its lanes say.
    pub(super) fn became_ready(&mut self, now: Instant, id: WorkerId) {
        let Some(worker) = self.processes.active_mut(id) else { return };
        worker.promise.resigned = false;
        self.act_on(now, id, Event::Listened);
        self.pump_all(now);
        self.launch(now);
        self.close_unserved();
    }

    /// It gets no more connections, and what waits for it goes to others.
    pub(super) fn resigned(&mut self, now: Instant, id: WorkerId) {
        let running = |state| matches!(state, State::Starting { .. } | State::Running { .. });
        let worker = self.processes.active_mut(id);
        let Some(worker) = worker.filter(|worker| running(worker.state()) && !worker.promise.resigned) else {
            return;
        };
        worker.promise.resigned = true;
        self.note(Note::Resigned { worker: id });
        self.regate(now, id);
        self.pump_all(now);
    }

    /// It may take so long from now, if that is longer than it had.
    pub(super) fn extended(&mut self, now: Instant, id: WorkerId, by: Duration) {
        if let Some(worker) = self.processes.active_mut(id) {
            worker.promise.extended = Some(super::deadlines::after(now, by));
        }
    }

    /// One that is not ready in time has failed: it is known when it would be, or that its like listen. No time at all is
    /// no limit: nobody could keep it.
    pub(super) fn must_be_ready(&self) -> bool {
        !self.settings.start_timeout.is_zero() && (self.settings.ready_explicit || self.ever_listened)
    }
}

//! The part of the pool that judges lag: who is a suspect for it, and who has caught up. It looks at no process: it is told how long each
//! was away from its wait.

use crate::ids::WorkerId;
use crate::pool::workers::process::Process;
use crate::pool::{Change, Lane, Note, Output, Pool, State};
use std::time::{Duration, Instant};

impl Pool {
    /// The looks of this moment count for nothing.
    pub(in crate::pool) fn looked_late(&mut self, now: Instant) {
        self.late = Some(now);
    }

    /// So long has the worker been away from its wait.
    pub(in crate::pool) fn lagged(&mut self, now: Instant, id: WorkerId, lag: Duration) {
        let Some(limit) = self.settings.health.lag_limit else { return };
        if self.late == Some(now) || !self.is_running(id) {
            return;
        }
        let cordoned = self.is_cordoned(id);
        let Some(worker) = self.processes.active_mut(id) else { return };
        let further = worker.health.look(now, lag);
        if cordoned {
            return;
        }
        if lag >= limit {
            worker.health.bad();
            if !worker.health.is_suspect() && self.may_go_out(now, id) {
                self.become_suspect(now, id, lag);
            }
        } else if further && let Some(after) = worker.health.good(now) {
            self.starved = false;
            self.note(Note::CaughtUp { worker: id, after });
            self.update_eligibility(now, id);
            self.tell_suspicion(id);
            self.pump_all(now);
        }
        self.examine(now, id);
    }

    fn become_suspect(&mut self, now: Instant, id: WorkerId, lag: Duration) {
        let wanted = self.lanes.values().any(|lane| lane.worker() == id && lane.is_wanted());
        if let Some(worker) = self.processes.active_mut(id) {
            worker.health.become_suspect(now);
            if wanted {
                worker.health.is_wanted();
            }
        }
        self.note(Note::Lagging { worker: id, lag });
        self.update_eligibility(now, id);
        self.tell_suspicion(id);
        self.pump_all(now);
    }

    /// The shell is to tell of the worker at each look, be its lag zero: it is a suspect, or lagged when it was last told
    /// of, or it serves alone and has taken nothing for too long.
    pub(crate) fn is_in_question(&self, now: Instant, id: WorkerId) -> bool {
        let idle = |lane: &Lane| lane.idle_for(now) >= self.settings.health.lag_limit;
        let lagged = |worker: &Process| self.lags(worker.health.lag());
        self.is_suspect(id)
            || self.processes.active(id).is_some_and(lagged)
            || self.settings.health.lag_limit.is_some()
                && self.lanes.values().any(|lane| lane.worker() == id && idle(lane))
                && self.serves_alone(id)
    }

    /// Tells the shell whether the worker is a suspect, if it takes it to be otherwise.
    pub(in crate::pool) fn tell_suspicion(&mut self, id: WorkerId) {
        let Some(worker) = self.processes.active(id) else { return };
        let (told, suspect) = (worker.health.told, self.is_out(worker));
        if told != suspect {
            if let Some(worker) = self.processes.active_mut(id) {
                worker.health.told = suspect;
                worker.health.asked &= suspect;
            }
            self.outbox.push_back(Output::Changed(Change::Suspect { worker: id, suspect }));
        }
    }

    pub(super) fn is_running(&self, id: WorkerId) -> bool {
        self.processes.active(id).is_some_and(|worker| matches!(worker.state(), State::Running { .. }))
    }
}

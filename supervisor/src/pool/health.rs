//! The part of the pool that judges health: who is a suspect for its lag, who is examined, and who hangs and is replaced.
//! It looks at no process: it is told what was found.

use super::balancer::Balancer;
use super::follow::Cause;
use super::lane::Lane;
use super::pool::{Phase, Pool};
use super::process::Process;
use super::state::{Event, State};
use super::{Change, Command, Finding, Note, Output};
use crate::ids::WorkerId;
use std::time::{Duration, Instant};

impl Pool {
    /// The looks of this moment count for nothing.
    pub(super) fn looked_late(&mut self, now: Instant) {
        self.late = Some(now);
    }

    /// So long has the worker been away from its wait.
    pub(super) fn lagged(&mut self, now: Instant, id: WorkerId, lag: Duration) {
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

    /// A suspect that takes too long even for one is looked at closely.
    fn examine(&mut self, now: Instant, id: WorkerId) {
        self.note_demand(id);
        if self.hangs_for(now, id).is_none() || self.starves_with(now, id) || !self.may_take_down() {
            return;
        }
        if let Some(worker) = self.processes.active_mut(id) {
            worker.health.asked = true;
            self.outbox.push_back(Output::Examine { worker: id });
        }
    }

    /// The answer: everything that made it worth asking must still be so.
    pub(super) fn examined(&mut self, now: Instant, id: WorkerId, finding: Finding, evidence: String) {
        if !self.is_running(id) {
            return;
        }
        let Some(worker) = self.processes.active_mut(id) else { return };
        let asked = std::mem::take(&mut worker.health.asked);
        if finding == Finding::Traced {
            worker.health.ignore_until(now);
        }
        if !asked || !self.is_guilty(finding) || self.late == Some(now) {
            return;
        }
        let Some(lag) = self.hangs_for(now, id) else { return };
        if !self.starves_with(now, id) && self.may_take_down() {
            let place = self.processes.find_active(id);
            self.act_at(now, place, Event::Hung, Cause::Hang { lag, finding, evidence });
        }
    }

    /// What was found amounts to a hang.
    pub(super) fn is_guilty(&self, finding: Finding) -> bool {
        match finding {
            Finding::Busy | Finding::Stopped | Finding::Lock => true,
            Finding::Blocked | Finding::Unknown => self.settings.health.replaces_blocked(),
            Finding::Starved | Finding::Traced => false,
        }
    }

    /// Somebody says that the worker is not well: it is restarted, and counts as down for its health until it runs again.
    pub(super) fn unwell(&mut self, now: Instant, id: WorkerId, cause: String) {
        let own = self.processes.current(id.slot).is_some_and(|process| {
            process.id() == id && self.slots.get(id.slot as usize).is_some_and(|slot| !slot.removed)
        });
        if self.phase != Phase::Serving || !own || !self.is_running(id) || !self.may_take_down() {
            return;
        }
        self.note(Note::Unwell { worker: id, cause });
        if let Some(worker) = self.processes.active_mut(id) {
            worker.health.replacing = true;
        }
        self.command(now, id.slot, Command::Restart);
    }

    /// For how long the worker has hung, as far as its lag and its lanes tell: beyond the limit, and connections have
    /// waited for it. A suspect, or the only one that serves: nobody could take over from that one, so it stays in.
    fn hangs_for(&self, now: Instant, id: WorkerId) -> Option<Duration> {
        let limit = self.settings.health.hang_limit()?;
        let worker =
            self.processes.active(id).filter(|worker| !self.is_cordoned(id) && worker.pid().is_some())?;
        let alone = self.serves_alone(id);
        let stuck = |lane: &Lane| if alone { lane.idle_for(now) } else { lane.suspect_for(now) };
        let own = || self.lanes.values().filter(|lane| lane.worker() == id && !lane.is_left());
        // Of those that belong to one of several processes all must be: one that hangs is not the worker.
        let each = own().filter(|lane| lane.shared_out).map(stuck).min().flatten();
        let stuck = own().filter(|lane| !lane.shared_out).filter_map(stuck).max().max(each);
        let lag = (alone || worker.health.is_suspect()).then(|| worker.health.lag()).max(stuck)?;
        let wanted = worker.health.has_demand() || self.is_wanted(id);
        let lag = worker.health.its_own(now, lag);
        (self.is_running(id) && wanted && lag >= limit).then_some(lag)
    }

    /// No other worker is there to be given what this one is.
    fn serves_alone(&self, id: WorkerId) -> bool {
        let serves = |worker: &Process| {
            worker.is_running()
                && !self.is_cordoned(worker.id())
                && self.lanes.values().any(|lane| lane.worker() == worker.id())
        };
        let mut serving = self.processes.active_ones().filter(|worker| serves(worker)).map(Process::id);
        serving.next() == Some(id) && serving.next().is_none()
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

    fn is_wanted(&self, id: WorkerId) -> bool {
        self.lanes.values().filter(|lane| lane.worker() == id).any(|lane| {
            lane.is_wanted() || self.balancers.get(&lane.balancer()).is_some_and(Balancer::is_waited_at)
        })
    }

    /// Connections that nobody takes, while this one could if it were well, wait for it too.
    fn note_demand(&mut self, id: WorkerId) {
        let wanted = self.is_wanted(id);
        if let Some(worker) = self.processes.active_mut(id).filter(|_| wanted) {
            worker.health.is_wanted();
        }
    }

    /// The same where there are others: of one alone what is found says all that can be known.
    fn starves_with(&mut self, now: Instant, id: WorkerId) -> bool {
        !self.serves_alone(id) && self.starves(now)
    }

    /// Every worker that serves is beyond the limit: that is the machine. Said once, until one is not.
    fn starves(&mut self, now: Instant) -> bool {
        let workers = self.count_starving(now);
        let was = std::mem::replace(&mut self.starved, workers.is_some());
        if let Some(workers) = workers.filter(|_| !was) {
            self.note(Note::Starved { workers });
        }
        workers.is_some()
    }

    /// How many serve, if all of them are beyond the limit or about to be.
    pub(super) fn count_starving(&self, now: Instant) -> Option<u32> {
        let (hang_limit, lag_limit) = (self.settings.health.hang_limit()?, self.settings.health.lag_limit?);
        // What slows down everybody does not do so in the same moment.
        let limit = hang_limit.saturating_sub(lag_limit);
        let mut serving = 0;
        for worker in self.processes.active_ones().filter(|worker| worker.is_running()) {
            let lanes = || self.lanes.values().filter(|lane| lane.worker() == worker.id());
            if lanes().next().is_none() {
                continue;
            }
            let stuck = lanes().filter_map(|lane| lane.idle_for(now)).max().unwrap_or_default();
            if worker.health.lag_now(now, lag_limit).max(stuck) < limit {
                return None;
            }
            serving += 1;
        }
        (serving > 0).then_some(serving)
    }

    fn may_take_down(&self) -> bool {
        let down = self.processes.currents().filter(|process| process.health.replacing).count();
        down < self.settings.health.max_unavailable(self.settings.workers) as usize
    }

    /// Tells the shell whether the worker is a suspect, if it takes it to be otherwise.
    pub(super) fn tell_suspicion(&mut self, id: WorkerId) {
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

    fn is_running(&self, id: WorkerId) -> bool {
        self.processes.active(id).is_some_and(|worker| matches!(worker.state(), State::Running { .. }))
    }
}

//! The part of the pool that judges who hangs: which suspects are examined, and who of them is replaced. It looks at no process: it is
//! told what was found.

use crate::ids::WorkerId;
use crate::pool::lives::follow::Cause;
use crate::pool::workers::event::Event;
use crate::pool::workers::process::Process;
use crate::pool::{Balancer, Finding, Lane, Note, Output, Phase, Pool, WorkerCommand};
use std::time::{Duration, Instant};

impl Pool {
    /// A suspect that takes too long even for one is looked at closely.
    pub(super) fn examine(&mut self, now: Instant, id: WorkerId) {
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
    pub(in crate::pool) fn examined(
        &mut self,
        now: Instant,
        id: WorkerId,
        finding: Finding,
        evidence: String,
    ) {
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
    pub(in crate::pool) fn is_guilty(&self, finding: Finding) -> bool {
        match finding {
            Finding::Busy | Finding::Stopped | Finding::Lock => true,
            Finding::Blocked | Finding::Unknown => self.settings.health.replaces_blocked(),
            Finding::Starved | Finding::Traced => false,
        }
    }

    /// Somebody says that the worker is not well: it is restarted, and counts as down for its health until it runs again.
    pub(in crate::pool) fn unwell(&mut self, now: Instant, id: WorkerId, cause: String) {
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
        self.command(now, id.slot, WorkerCommand::Restart);
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
    pub(super) fn serves_alone(&self, id: WorkerId) -> bool {
        let serves = |worker: &Process| {
            worker.is_running()
                && !self.is_cordoned(worker.id())
                && self.lanes.values().any(|lane| lane.worker() == worker.id())
        };
        let mut serving = self.processes.active_ones().filter(|worker| serves(worker)).map(Process::id);
        serving.next() == Some(id) && serving.next().is_none()
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
    pub(in crate::pool) fn count_starving(&self, now: Instant) -> Option<u32> {
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
}

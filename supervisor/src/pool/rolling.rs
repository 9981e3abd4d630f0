//! Replaces processes one after the other without a gap: a successor starts, is ready, stays well for a while and takes the
//! slot; only then does the old process drain. Any failure ends the rollout and leaves the old ones at work.

use super::deadlines::after;
use super::pool::{Phase, Pool};
use super::rollout::{Failed, Purpose, Reloaded, Rollout, Stage, Step};
use super::state::{Event, Reason, State};
use super::worker::Worker;
use super::{Deadline, Next, Note, Output, Timer};
use crate::ids::{BalancerId, WorkerId};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// One that is not well when it has proved itself is looked at again after so long at least.
const PROVE_AGAIN: Duration = Duration::from_millis(100);

impl Pool {
    /// Every worker is to have a new process of a new version, without a gap.
    pub(super) fn reload(&mut self, ticket: u64) {
        if self.phase != Phase::Serving || self.closing.is_some() {
            return self.reloaded(ticket, Reloaded::Stopped);
        }
        if let Some(older) = self.next_reload.replace(ticket) {
            self.reloaded(older, Reloaded::Superseded);
        }
    }

    /// The version that was announced can be run.
    pub(super) fn prepared(&mut self, ticket: u64) {
        let ours = |rollout: &&mut Rollout| rollout.purpose == Purpose::Reload { ticket };
        if let Some(rollout) = self.rollout.as_mut().filter(ours) {
            rollout.prepared = true;
        }
    }

    /// The version that was announced cannot be run.
    pub(super) fn unfit(&mut self, now: Instant, ticket: u64, error: String) {
        let ours = |rollout: &Rollout| rollout.purpose == Purpose::Reload { ticket };
        if self.rollout.as_ref().is_some_and(ours) {
            self.fail_by(now, Failed::Unfit { error });
        }
    }

    /// No rollout is under way or about to be, and one may begin.
    pub(super) fn may_roll(&self) -> bool {
        let idle = self.rollout.is_none() && self.next_reload.is_none();
        idle && self.phase == Phase::Serving && self.closing.is_none()
    }

    /// Goes as far as it can now; called after everything that may have changed something.
    pub(super) fn roll(&mut self, now: Instant) {
        // What is given on the way may wear somebody out: looked into until it does not.
        loop {
            self.spent = None;
            self.go_on(now);
            if self.spent.is_none() {
                return;
            }
        }
    }

    fn go_on(&mut self, now: Instant) {
        self.fill_gaps(now);
        self.spare_no_more(now);
        loop {
            self.begin(now);
            let Some(rollout) = &self.rollout else { return };
            let mut moved = false;
            // A step that ends leaves its place to the next.
            for place in (0..rollout.steps.len()).rev() {
                moved |= self.step(now, place);
            }
            if !moved && !self.next_slots(now) && !self.end(now) {
                return;
            }
        }
    }

    /// A slot whose own process has ended is its successor's, however far that is.
    fn fill_gaps(&mut self, now: Instant) {
        let wanted = self.workers.successors.iter().filter(|successor| !successor.removed);
        for id in wanted.map(Worker::id).collect::<Vec<_>>() {
            match self.workers.get(id.slot as usize).map(Worker::state) {
                // It is to stay down.
                Some(State::Standby { reason: Reason::Finished | Reason::Stopped, .. }) => {
                    self.drop_step(now, id.slot);
                }
                Some(State::Standby { .. }) => self.promote(now, id),
                Some(State::Starting { .. } | State::Running { .. } | State::Stopping(_)) | None => {}
            }
        }
    }

    fn begin(&mut self, now: Instant) {
        if self.rollout.is_some() || self.phase != Phase::Serving || self.closing.is_some() {
            return;
        }
        if let Some(ticket) = self.next_reload.take() {
            self.versions += 1;
            let version = self.versions;
            let workers = self.settings.workers;
            self.note(Note::ReloadBegan { workers });
            let todo = (0..workers).map(|slot| (slot, version)).collect();
            self.start_rollout(Purpose::Reload { ticket }, version, todo);
            self.outbox.push_back(Output::Prepare { ticket, version });
        } else if let Some((worker, worn)) = self.worn(now)
            && let Some(version) = self.current(worker).map(|worker| worker.version)
        {
            self.note(Note::Worn { worker, worn });
            let purpose = Purpose::Replace { slot: worker.slot, worn };
            self.start_rollout(purpose, version, VecDeque::from([(worker.slot, version)]));
        }
    }

    fn start_rollout(&mut self, purpose: Purpose, version: u32, todo: VecDeque<(u32, u32)>) {
        // Only a reload brings what was not there before.
        let prepared = !matches!(purpose, Purpose::Reload { .. });
        let (steps, done, failed) = (Vec::new(), Vec::new(), None);
        self.rollout = Some(Rollout { purpose, version, todo, steps, done, failed, prepared });
    }

    /// Begins with as many slots as may be at it at a time. True if there was one.
    fn next_slots(&mut self, now: Instant) -> bool {
        let (surge, unavailable) = (self.settings.max_surge, self.settings.max_unavailable);
        let Some(rollout) = self.rollout.as_mut().filter(|rollout| rollout.prepared) else { return false };
        let stages = || rollout.steps.iter();
        // A process too many is one that comes, or one that has yet to go.
        let extra = stages().filter(|step| {
            self.workers.successor(step.slot).is_some() || matches!(step.stage, Stage::Draining(_))
        });
        let (extra, steps) = (extra.count() as u32, rollout.steps.len() as u32);
        let missing = steps - extra;
        let beside = extra < surge;
        if !beside && missing >= unavailable.max(u32::from(surge == 0)) {
            return false;
        }
        let Some((slot, version)) = rollout.todo.pop_front() else { return false };
        let Some(worker) = self.workers.get_mut(slot as usize).filter(|worker| !worker.removed) else {
            return true;
        };
        let (old, before) = (worker.id(), worker.version);
        let down = matches!(worker.state(), State::Standby { .. });
        // It is to stay down, or is on its way there.
        let ended = match worker.state() {
            State::Standby { reason, .. } => matches!(reason, Reason::Finished | Reason::Stopped),
            State::Stopping(stop) => stop.next == Next::Nothing,
            State::Starting { .. } | State::Running { .. } => false,
        };
        if ended {
            return true;
        }
        if down || !beside {
            worker.version = version;
        }
        let wanted = self.served_by(old).collect();
        let (process, stage) = if down || !beside {
            // Whoever comes back by itself, or after it has made room, comes as the new version.
            if let Some(worker) = self.workers.get_mut(slot as usize).filter(|_| down) {
                worker.backoff.refill(&self.settings);
            }
            (old, Stage::Clearing)
        } else {
            let Some(id) = self.add_successor(now, slot, version) else { return true };
            (id, Stage::Coming)
        };
        if let Some(rollout) = &mut self.rollout {
            rollout.steps.push(Step { slot, before, process, wanted, stage });
        }
        if stage == Stage::Clearing {
            self.act(now, slot, Event::Restart);
            self.pump_all(now);
        }
        self.launch(now);
        true
    }

    /// Takes one step as far as it goes. True if that was anywhere.
    fn step(&mut self, now: Instant, place: usize) -> bool {
        let Some(step) = self.rollout.as_ref().and_then(|rollout| rollout.steps.get(place)) else {
            return false;
        };
        let (slot, process, stage) = (step.slot, step.process, step.stage);
        let stage = match stage {
            Stage::Clearing => match self.workers.get(slot as usize) {
                Some(worker) if worker.id() != process => {
                    let id = worker.id();
                    self.set_process(place, id);
                    Some(Stage::Coming)
                }
                Some(worker) if worker.is_coming() => return false,
                // Somebody had it stay down.
                Some(_) | None => None,
            },
            Stage::Coming if self.covers(now, place) => {
                Some(Stage::Proving(after(now, self.settings.min_healthy_time)))
            }
            Stage::Proving(until) if until <= now && self.is_well(process) => {
                let old = self.workers.get(slot as usize).map(Worker::id).filter(|old| *old != process);
                self.promote(now, process);
                self.act_on(now, process, Event::Settled);
                self.proved(place);
                old.map(Stage::Draining)
            }
            // It is to be well all the time: that begins anew.
            Stage::Proving(until) if until <= now => {
                Some(Stage::Proving(after(now, self.settings.min_healthy_time.max(PROVE_AGAIN))))
            }
            Stage::Draining(old) if !self.leaving.iter().any(|leaving| leaving.id() == old) => None,
            Stage::Coming | Stage::Proving(_) | Stage::Draining(_) => return false,
        };
        self.set_stage(place, stage);
        true
    }

    fn set_process(&mut self, place: usize, process: WorkerId) {
        if let Some(step) = self.rollout.as_mut().and_then(|rollout| rollout.steps.get_mut(place)) {
            step.process = process;
        }
    }

    /// `None` is the end of the step.
    fn set_stage(&mut self, place: usize, stage: Option<Stage>) {
        let Some(rollout) = &mut self.rollout else { return };
        match stage {
            Some(stage) => rollout.steps[place].stage = stage,
            None => drop(rollout.steps.remove(place)),
        }
    }

    fn proved(&mut self, place: usize) {
        if let Some(rollout) = &mut self.rollout {
            let Step { slot, before, .. } = rollout.steps[place];
            rollout.done.push((slot, before));
        }
    }

    /// The new process is ready, and listens wherever the old one did or on all that it is going to.
    fn covers(&self, now: Instant, place: usize) -> bool {
        let Some(step) = self.rollout.as_ref().and_then(|rollout| rollout.steps.get(place)) else {
            return false;
        };
        let Some(worker) = self.workers.by_id(step.process).filter(|worker| worker.is_running()) else {
            return false;
        };
        let served: Vec<_> = self.served_by(step.process).collect();
        let all = step.wanted.iter().all(|wanted| served.contains(wanted) || self.is_gone(*wanted));
        let settled = self.settles_at(worker.id()).is_some_and(|at| at <= now);
        !self.settings.ready_by_lane || all || settled
    }

    fn is_gone(&self, balancer: BalancerId) -> bool {
        !self.balancers.contains_key(&balancer)
    }

    /// When it counts as listening on all it is going to: a while after it last began to.
    fn settles_at(&self, id: WorkerId) -> Option<Deadline> {
        let opened = self.lanes.values().filter(|lane| lane.worker() == id).map(super::Lane::opened);
        Some(after(opened.max()?, self.settings.listen_settle))
    }

    fn is_well(&self, id: WorkerId) -> bool {
        self.workers.by_id(id).is_some_and(|worker| worker.is_running() && !self.is_out(worker))
    }

    /// A process of the rollout came to nothing before it had proved itself; what others have proved stays.
    pub(super) fn fail(&mut self, now: Instant, id: WorkerId, failed: Failed) {
        if self.rollout.as_ref().is_some_and(|rollout| rollout.concerns(id)) {
            self.fail_by(now, failed);
        }
    }

    fn fail_by(&mut self, now: Instant, failed: Failed) {
        let Some(rollout) = &mut self.rollout else { return };
        rollout.todo.clear();
        rollout.failed.get_or_insert(failed);
        let (kept, given_up): (Vec<_>, Vec<_>) = std::mem::take(&mut rollout.steps)
            .into_iter()
            .partition(|step| matches!(step.stage, Stage::Draining(_)));
        rollout.steps = kept;
        for step in given_up {
            if let Some(worker) = self.workers.get_mut(step.slot as usize) {
                // What comes next in this slot is what was known to work.
                worker.version = step.before;
            }
            self.dismiss(now, step.process);
        }
    }

    /// The slot is not to have another process after all.
    pub(super) fn drop_step(&mut self, now: Instant, slot: u32) {
        let Some(rollout) = &mut self.rollout else { return };
        rollout.todo.retain(|(other, _)| *other != slot);
        let Some(place) = rollout.steps.iter().position(|step| step.slot == slot) else { return };
        let step = rollout.steps.remove(place);
        self.dismiss(now, step.process);
    }

    /// The cluster stops: whatever was to be replaced is not.
    pub(super) fn abandon(&mut self, now: Instant) {
        self.end_rollouts();
        for id in self.workers.successors.iter().map(Worker::id).collect::<Vec<_>>() {
            self.dismiss(now, id);
        }
    }

    /// Nothing is rolled out any more, and who waits for it is told so.
    pub(super) fn end_rollouts(&mut self) {
        if let Some(ticket) = self.next_reload.take() {
            self.reloaded(ticket, Reloaded::Stopped);
        }
        let Some(rollout) = self.rollout.take() else { return };
        if let Purpose::Reload { ticket } | Purpose::Rollback { ticket, .. } = rollout.purpose {
            self.reloaded(ticket, Reloaded::Stopped);
        }
    }

    /// Nothing is left to do: tells how it ended. False if something is.
    fn end(&mut self, now: Instant) -> bool {
        let Some(rollout) =
            self.rollout.take_if(|rollout| rollout.steps.is_empty() && rollout.todo.is_empty())
        else {
            return false;
        };
        let Rollout { purpose, version, done, failed, .. } = rollout;
        let replaced = done.len() as u32;
        match (purpose, failed) {
            (Purpose::Reload { ticket }, None) => {
                self.version = version;
                // Those that are down are brought to it when somebody starts them.
                self.workers
                    .iter_mut()
                    .filter(|worker| !worker.is_live())
                    .for_each(|worker| worker.version = version);
                self.reloaded(ticket, Reloaded::Done { workers: replaced });
            }
            (Purpose::Reload { ticket }, Some(failed)) if self.settings.rollback_all && replaced > 0 => {
                self.note(Note::RollingBack { failed: failed.clone(), workers: replaced });
                self.start_rollout(Purpose::Rollback { ticket, failed }, self.version, done.into());
            }
            (Purpose::Reload { ticket }, Some(failed)) => {
                self.reloaded(ticket, Reloaded::Failed { failed, replaced, rolled_back: false });
            }
            (Purpose::Rollback { ticket, failed }, None) => {
                self.reloaded(ticket, Reloaded::Failed { failed, replaced, rolled_back: true });
            }
            (Purpose::Rollback { ticket, failed }, Some(_)) => {
                self.reloaded(ticket, Reloaded::Failed { failed, replaced, rolled_back: false });
            }
            (Purpose::Replace { .. }, None) => {}
            (Purpose::Replace { slot, worn }, Some(failed)) => {
                self.spare(now, slot);
                self.note(Note::NotReplaced { worn, failed });
            }
        }
        true
    }

    fn reloaded(&mut self, ticket: u64, reloaded: Reloaded) {
        self.note(Note::Reloaded { reloaded: reloaded.clone() });
        self.outbox.push_back(Output::Reloaded { ticket, reloaded });
    }

    /// The moments that a rollout waits for.
    pub(super) fn rollout_timer(&self) -> Option<(Deadline, Timer)> {
        let rollout = self.rollout.as_ref()?;
        let at = rollout.steps.iter().filter_map(|step| match step.stage {
            Stage::Proving(until) => Some(until),
            Stage::Coming => {
                let runs = self.workers.by_id(step.process).is_some_and(Worker::is_running);
                self.settles_at(step.process).filter(|_| runs)
            }
            Stage::Clearing | Stage::Draining(_) => None,
        });
        Some((at.min()?, Timer::Rollout))
    }

    /// What is being rolled out.
    pub fn rollout(&self) -> Option<&Rollout> {
        self.rollout.as_ref()
    }

    /// The versions of which a process runs or may yet be started.
    pub fn versions_in_use(&self) -> Vec<u32> {
        let own = self.workers.everyone().map(|worker| worker.version);
        let rollout = self.rollout.iter().flat_map(|rollout| {
            let before = rollout.steps.iter().map(|step| step.before);
            let noted = rollout.todo.iter().chain(&rollout.done).map(|(_, version)| *version);
            before.chain(noted).chain([rollout.version])
        });
        own.chain(rollout).chain([self.version]).collect()
    }
}

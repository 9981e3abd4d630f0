//! Replaces processes one after the other without a gap: a successor starts, is ready, stays well for a while and takes the
//! slot; only then does the old process drain. Any failure ends the rollout and leaves the old ones at work.

use crate::ids::WorkerId;
use crate::pool::vocabulary::deadlines::after;
use crate::pool::workers::event::Event;
use crate::pool::workers::process::{Process, Role};
use crate::pool::workers::rollout::{NextReload, Rollout, Stage, Step};
use crate::pool::{Deadline, Gate, Next, Note, Output, Phase, Pool, Purpose, Reason, Reloaded, State, Timer};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// One that is not well when it has proved itself is looked at again after so long at least.
const PROVE_AGAIN: Duration = Duration::from_millis(100);

impl Pool {
    /// Every worker is to have a new process of a new version, without a gap. A rollout that is under way ends here: a
    /// version that hangs at its start would otherwise hold up the one that mends it.
    pub(in crate::pool) fn reload(&mut self, now: Instant, next: NextReload) {
        if self.phase != Phase::Serving || self.closing.is_some() {
            return self.reloaded(next.ticket, Reloaded::Stopped);
        }
        self.supersede(now);
        self.next_reload = Some(next);
    }

    /// The version that was announced can be run.
    pub(in crate::pool) fn prepared(&mut self, ticket: u64) {
        let ours = |rollout: &&Rollout| rollout.purpose == Purpose::Reload { ticket };
        match self.rollout.as_ref().filter(ours) {
            Some(rollout) if self.settings.gates.reload && !rollout.prepared => {
                self.hold_up(Gate::Reload { ticket, version: rollout.version });
            }
            _ => self.may_go_on(ticket),
        }
    }

    /// Nothing holds up the reload with this number any more.
    pub(in crate::pool) fn may_go_on(&mut self, ticket: u64) {
        let ours = |rollout: &&mut Rollout| rollout.purpose == Purpose::Reload { ticket };
        if let Some(rollout) = self.rollout.as_mut().filter(ours) {
            rollout.prepared = true;
        }
    }

    /// No rollout is under way or about to be, and one may begin.
    pub(in crate::pool) fn may_roll(&self) -> bool {
        let idle = self.rollout.is_none() && self.next_reload.is_none();
        idle && self.phase == Phase::Serving && self.closing.is_none()
    }

    /// Goes as far as it can now; called after everything that may have changed something.
    pub(in crate::pool) fn roll(&mut self, now: Instant) {
        // By what is given on the way a process may have served for long enough: looked into until none has.
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
        self.retry_now_if_due(now);
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
        let wanted = |process: &&Process| process.role == Role::Successor { wanted: true };
        for id in self.processes.successors().filter(wanted).map(Process::id).collect::<Vec<_>>() {
            match self.processes.current(id.slot).map(Process::state) {
                // It is to stay down.
                Some(State::Standby { reason: Reason::Finished | Reason::Stopped, .. }) => {
                    self.drop_step(now, id.slot);
                }
                Some(State::Standby { .. }) => self.promote(now, id),
                Some(State::Starting { .. } | State::Running { .. } | State::Stopping(_)) | None => {}
            }
        }
    }

    /// A slot that comes while a reload is under way is of the version that is known to work, and has its turn too.
    pub(in crate::pool) fn include(&mut self, slot: u32) {
        let going_on = |rollout: &&mut Rollout| {
            rollout.failed.is_none() && matches!(rollout.purpose, Purpose::Reload { .. })
        };
        let Some(rollout) = self.rollout.as_mut().filter(going_on) else { return };
        let known =
            rollout.todo.iter().map(|(slot, _)| *slot).chain(rollout.steps.iter().map(|step| step.slot));
        if !known.into_iter().any(|known| known == slot) {
            // What it may have had before it was scaled away does not count.
            rollout.done.retain(|(done, _)| *done != slot);
            rollout.todo.push_back((slot, rollout.version));
        }
    }

    fn begin(&mut self, now: Instant) {
        if self.rollout.is_some() || self.phase != Phase::Serving || self.closing.is_some() {
            return;
        }
        if let Some(NextReload { ticket, in_place }) = self.next_reload.take() {
            self.versions += 1;
            let version = self.versions;
            let workers = self.settings.workers;
            self.note(Note::ReloadBegan { workers });
            // Where reloads follow each other quickly, those slots come first that have waited longest for a new process.
            let mut slots: Vec<u32> = (0..workers).collect();
            slots.sort_by_key(|slot| self.processes.current(*slot).map(|process| process.version));
            let todo = slots.into_iter().map(|slot| (slot, version)).collect();
            self.start_rollout(Purpose::Reload { ticket }, version, todo, in_place);
            self.outbox.push_back(Output::Prepare { ticket, version });
        } else if let Some((worker, reason)) = self.to_recycle(now)
            && let Some(version) = self.processes.active(worker).map(|worker| worker.version)
        {
            self.note(Note::Recycled { worker, reason });
            self.is_replaced_for(worker, reason);
            let purpose = Purpose::Replace { slot: worker.slot, reason };
            self.start_rollout(purpose, version, VecDeque::from([(worker.slot, version)]), false);
        }
    }

    pub(super) fn start_rollout(
        &mut self,
        purpose: Purpose,
        version: u32,
        todo: VecDeque<(u32, u32)>,
        in_place: bool,
    ) {
        // Only a reload brings what was not there before.
        let prepared = !matches!(purpose, Purpose::Reload { .. });
        let (steps, done, dropped, failed) = Default::default();
        let total = todo.len() as u32;
        self.rollout =
            Some(Rollout { purpose, version, total, todo, steps, done, dropped, failed, in_place, prepared });
    }

    /// Begins with as many slots as may be at it at a time. True if there was one.
    fn next_slots(&mut self, now: Instant) -> bool {
        let Some(rollout) = self.rollout.as_ref().filter(|rollout| rollout.prepared) else { return false };
        let surge = if rollout.in_place { 0 } else { self.settings.rollout.max_surge };
        let unavailable = self.settings.rollout.max_unavailable;
        let count =
            |which: &dyn Fn(&Step) -> bool| rollout.steps.iter().filter(|step| which(step)).count() as u32;
        let coming = count(&|step| self.processes.successor(step.slot).is_some());
        let missing = rollout.steps.len() as u32 - coming - count(&Step::is_draining);
        // A process too many is one that comes, or one that has yet to go, be it since another rollout.
        let beside = coming + self.replaced_and_not_gone() < surge;
        if !beside && missing >= unavailable.max(u32::from(surge == 0)) {
            return false;
        }
        let next = self.rollout.as_mut().and_then(|rollout| rollout.todo.pop_front());
        let Some((slot, version)) = next else { return false };
        let Some(worker) = self.processes.current_mut(slot) else { return true };
        if self.slots.get(slot as usize).is_none_or(|slot| slot.removed) {
            return true;
        }
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
        let wanted = self.opened_by(old);
        let (process, stage) = if down || !beside {
            // Whoever comes back by itself, or after it has made room, comes as the new version.
            if let Some(slot) = self.slots.get_mut(slot as usize).filter(|_| down) {
                slot.backoff.refill(&self.settings);
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
        if let (Stage::Coming | Stage::Proving(_), Some(next)) = (stage, self.came_instead(slot, process)) {
            self.set_process(place, next);
            self.set_stage(place, Some(Stage::Coming));
            return true;
        }
        let stage = match stage {
            Stage::Clearing => match self.processes.current(slot) {
                Some(worker) if worker.id() != process => {
                    let id = worker.id();
                    self.set_process(place, id);
                    Some(Stage::Coming)
                }
                Some(worker) if worker.is_coming() => return false,
                // Somebody had it stay down.
                Some(_) | None => None,
            },
            Stage::Coming if self.is_complete(now, place) => {
                Some(Stage::Proving(after(now, self.settings.rollout.min_healthy_time)))
            }
            Stage::Proving(until) if until <= now && self.is_well(process) => {
                let old = self.processes.current(slot).map(Process::id).filter(|old| *old != process);
                self.note_dropped(place);
                self.promote(now, process);
                self.act_on(now, process, Event::Settled);
                self.proved(place);
                old.map(Stage::Draining)
            }
            // It is to be well all the time: that begins anew.
            Stage::Proving(until) if until <= now => {
                Some(Stage::Proving(after(now, self.settings.rollout.min_healthy_time.max(PROVE_AGAIN))))
            }
            Stage::Draining(old) if self.processes.find_retiring(old).is_none() => None,
            Stage::Coming | Stage::Proving(_) | Stage::Draining(_) => return false,
        };
        self.set_stage(place, stage);
        true
    }

    /// The process of a step was restarted by command, so that its end says nothing against the version: its slot has gone on with this one.
    fn came_instead(&self, slot: u32, process: WorkerId) -> Option<WorkerId> {
        let fails = self.rollout.as_ref().is_none_or(|rollout| rollout.failed.is_some());
        let is_gone = !fails && self.processes.active(process).is_none();
        let current = self.processes.current(slot).filter(|current| is_gone && current.is_live())?;
        Some(current.id())
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

    fn is_well(&self, id: WorkerId) -> bool {
        self.processes.active(id).is_some_and(|worker| worker.is_running() && !self.is_out(worker))
    }

    /// A reload is under way, or the return to what was before it, or one is about to begin.
    pub(crate) fn is_reloading(&self) -> bool {
        let is_reload = |rollout: &Rollout| !matches!(rollout.purpose, Purpose::Replace { .. });
        self.next_reload.is_some() || self.rollout.as_ref().is_some_and(is_reload)
    }

    /// The moments that a rollout waits for.
    pub(in crate::pool) fn rollout_timer(&self) -> Option<(Deadline, Timer)> {
        let rollout = self.rollout.as_ref()?;
        let at = rollout.steps.iter().filter_map(|step| match step.stage {
            Stage::Proving(until) => Some(until),
            Stage::Coming => self.complete_at(step),
            Stage::Clearing | Stage::Draining(_) => None,
        });
        Some((at.min()?, Timer::Rollout))
    }

    /// What is being rolled out.
    pub(crate) fn rollout(&self) -> Option<&Rollout> {
        self.rollout.as_ref()
    }

    /// The versions of which a process runs or may yet be started.
    pub(crate) fn versions_in_use(&self) -> Vec<u32> {
        let own = self.processes.active_ones().map(|worker| worker.version);
        let rollout = self.rollout.iter().flat_map(|rollout| {
            let before = rollout.steps.iter().map(|step| step.before);
            let noted = rollout.todo.iter().chain(&rollout.done).map(|(_, version)| *version);
            before.chain(noted).chain([rollout.version])
        });
        own.chain(rollout).chain([self.version]).collect()
    }
}

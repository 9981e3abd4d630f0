//! The part of the pool that starts workers, and hears of what has become of their processes. It starts no process: it orders them.

use super::follow::Cause;
use crate::ids::WorkerId;
use crate::pool::vocabulary::deadlines::after;
use crate::pool::workers::event::Event;
use crate::pool::workers::process::Process;
use crate::pool::{Change, Exit, Note, Outcome, Output, Phase, Pool};
use std::time::{Duration, Instant};

impl Pool {
    pub(in crate::pool) fn begin_to_serve(&mut self, now: Instant) {
        self.phase = Phase::Serving;
        self.outbox.push_back(Output::Changed(Change::Begun));
        self.act_on_all(now, Event::Due(now));
        self.launch(now);
    }

    /// Orders a process for each worker that is due, longest due first, while there are boot slots.
    pub(in crate::pool) fn launch(&mut self, now: Instant) {
        while self.boot_slot_free() {
            let due = self
                .launchable()
                .filter_map(|process| Some((process.due().filter(|at| *at <= now)?, process.id())));
            let Some((_, id)) = due.min_by_key(|(at, _)| *at) else { return };
            let Self { slots, processes, settings, .. } = self;
            let Some(process) = processes.active_mut(id) else { return };
            let Some(slot) = slots.get_mut(id.slot as usize) else { return };
            process.order(now, slot, settings);
            let (worker, version) = (process.id(), process.version);
            self.update_eligibility(now, worker);
            self.tell_state(worker);
            self.outbox.push_back(Output::Spawn { worker, version });
        }
    }

    /// Those that may be started when they are due. A slot that has a successor is about to be the successor's.
    pub(super) fn launchable(&self) -> impl Iterator<Item = &Process> {
        let own = self.processes.currents();
        let own = own.filter(|process| self.processes.successor(process.id().slot).is_none());
        own.chain(self.processes.successors())
    }

    pub(super) fn boot_slot_free(&self) -> bool {
        let held = self.processes.active_ones().filter(|process| process.holds_boot_slot()).count();
        held < self.settings.max_starting as usize
    }

    pub(in crate::pool) fn spawned(&mut self, now: Instant, id: WorkerId, pid: u32) {
        self.act_on(now, id, Event::Spawned(pid));
    }

    pub(in crate::pool) fn spawn_failed(&mut self, now: Instant, id: WorkerId, error: String) {
        let place = self.processes.find(id);
        self.act_at(now, place, Event::SpawnFailed, Cause::NoProcess(error));
    }

    pub(in crate::pool) fn exited(&mut self, now: Instant, id: WorkerId, exit: Exit) {
        let served = self.lanes.values().any(|lane| lane.worker() == id);
        self.refusals.ended(id, served);
        let place = self.processes.find(id);
        // Only of one that has the slot does it matter whether its work is done.
        let may_finish = place.and_then(|place| self.processes.at(place)).is_some_and(Process::is_current);
        let ok = matches!(exit, Exit::Code(code) if self.settings.restart.exit_codes_ok.contains(&code));
        let event = if ok && may_finish { Event::Finished } else { Event::Exited };
        self.act_at(now, place, event, Cause::Exit(exit));
    }

    /// Nothing is under way in the worker's connections any more.
    pub(in crate::pool) fn became_quiet(&mut self, now: Instant, id: WorkerId) {
        self.act_on(now, id, Event::Quiet);
    }

    /// A slot in standby gets another process after the time returned, or never. Its new state is told by whoever calls this.
    pub(super) fn retry(&mut self, now: Instant, slot: u32, uptime: Duration) -> Option<Duration> {
        let Self { slots, processes, settings, .. } = self;
        let (slot, process) = slots.get_mut(slot as usize).zip(processes.current_mut(slot))?;
        slot.has_died = true;
        let wait = slot.backoff.retry(uptime, settings);
        let event = wait.map_or(Event::GiveUp, |wait| Event::Due(after(now, wait)));
        process.apply(now, event, settings);
        wait
    }

    /// A cluster of which no worker has ever been ready, and each has died, is more likely wrong than unlucky.
    pub(super) fn give_up_on_a_bad_start(&mut self, now: Instant, worker: WorkerId, exit: Option<Exit>) {
        let hopeless = !self.settings.restart.keep_trying
            && !self.ever_ready
            && self.phase == Phase::Serving
            && self.slots.iter().all(|slot| slot.has_died || slot.removed);
        if hopeless {
            self.outcome = Outcome::NeverStarted { worker, exit };
            self.note(Note::NeverStarted { worker, exit });
            self.halt(now);
        }
    }
}

//! When a process is ready, or counts as booted: what it says of itself, and what is seen of it while it starts. It reads no /proc: it
//! orders looks, and judges what they found.

use crate::ids::WorkerId;
use crate::pool::vitals::boot::LOOK;
use crate::pool::vocabulary::deadlines::after;
use crate::pool::workers::event::Event;
use crate::pool::workers::process::Process;
use crate::pool::{Activity, Deadline, Note, Output, Pool, Settings, State, Timer};
use std::time::{Duration, Instant};

impl Pool {
    /// It is ready, whatever its lanes say.
    pub(in crate::pool) fn became_ready(&mut self, now: Instant, id: WorkerId) {
        let Some(worker) = self.processes.active_mut(id) else { return };
        worker.self_report.stopping = false;
        self.act_on(now, id, Event::Ready);
        self.pump_all(now);
        self.launch(now);
        self.close_unserved();
    }

    /// It gets no more connections, and what waits for it goes to others.
    pub(in crate::pool) fn says_stopping(&mut self, now: Instant, id: WorkerId) {
        let running = |state| matches!(state, State::Starting { .. } | State::Running { .. });
        let worker = self.processes.active_mut(id);
        let Some(worker) = worker.filter(|worker| running(worker.state()) && !worker.self_report.stopping)
        else {
            return;
        };
        worker.self_report.stopping = true;
        self.note(Note::SaysStopping { worker: id });
        self.update_eligibility(now, id);
        self.pump_all(now);
    }

    /// It may take so long from now, if that is longer than it had.
    pub(in crate::pool) fn extended(&mut self, now: Instant, id: WorkerId, by: Duration) {
        if let Some(worker) = self.processes.active_mut(id) {
            worker.self_report.extended = Some(after(now, by));
        }
    }

    /// One that is not ready in time has failed: it is known when it would be, or that its like listen. No time at all is
    /// no limit: nobody could keep it.
    pub(super) fn must_be_ready(&self) -> bool {
        !self.settings.readiness.start_timeout.is_zero()
            && (self.settings.readiness.is_chosen() || self.ever_listened)
    }

    /// What the worker does: the answer to `LookAtBoot`. `None` is not known, which is never taken for waiting.
    pub(in crate::pool) fn boot_looked(&mut self, now: Instant, id: WorkerId, activity: Option<Activity>) {
        let Some(worker) = self.processes.active_mut(id) else { return };
        let State::Starting { pid: Some(_), since, .. } = worker.state() else { return };
        let end = worker.booting.judge(now, activity);
        let holds = worker.holds_boot_slot();
        let alone = worker.alone_since(since, &self.settings).is_some_and(|at| at <= now);
        if holds && let Some(end) = end {
            let after = now.saturating_duration_since(since);
            self.note(Note::BootOver { worker: id, after, end });
            self.act_on(now, id, Event::SlotFreed);
        } else if holds && activity.is_some() {
            self.act_on(now, id, Event::StillBoots);
        }
        // Of what cannot be seen no more is known later: it counts as booted when it would lose its slot.
        let unseen = activity.is_none() && after(since, self.settings.boot_slot) <= now;
        if alone && (end.is_some() || unseen) {
            self.became_ready(now, id);
        } else if holds && end.is_some() {
            self.launch(now);
        }
    }

    /// Orders the looks that are due.
    pub(in crate::pool) fn boot_timers(&mut self, now: Instant) {
        let waited = self.boot_slot_wanted();
        let Self { processes, settings, outbox, .. } = self;
        for worker in processes.active_ones_mut() {
            if worker.next_boot_look(waited, settings).is_some_and(|at| at <= now) {
                worker.booting.looked = Some(now);
                outbox.push_back(Output::LookAtBoot { worker: worker.id() });
            }
        }
    }

    /// When the next look is due.
    pub(super) fn boot_timer(&self) -> Option<(Deadline, Timer)> {
        let waited = self.boot_slot_wanted();
        let looks =
            self.processes.active_ones().filter_map(|worker| worker.next_boot_look(waited, &self.settings));
        Some((looks.min()?, Timer::Boot))
    }

    /// Since when, or from when on, somebody waits for a boot slot, if none is free.
    pub(super) fn boot_slot_wanted(&self) -> Option<Instant> {
        if self.boot_slot_free() { None } else { self.launchable().filter_map(Process::due).min() }
    }
}

impl Process {
    /// When the process is looked at next. Nobody is looked at while nothing depends on it.
    pub(super) fn next_boot_look(
        &self,
        slot_wanted: Option<Instant>,
        settings: &Settings,
    ) -> Option<Deadline> {
        let State::Starting { pid: Some(_), since, .. } = self.state() else { return None };
        let for_slot = slot_wanted.filter(|_| self.holds_boot_slot());
        let at = for_slot.into_iter().chain(self.alone_since(since, settings)).min()?;
        Some(at.max(after(self.booting.looked.unwrap_or(since), LOOK)))
    }

    /// From when on it is ready though it does not listen, once its boot is over.
    pub(super) fn alone_since(&self, since: Instant, settings: &Settings) -> Option<Deadline> {
        let delay = settings.readiness.without_listening().filter(|_| !self.boot.has_listened())?;
        Some(after(since, delay))
    }
}

//! When a boot is over though the worker does not listen: its processes wait, as those of a queue consumer do, or have had
//! their time on the processor. Then the next worker may start. It reads no /proc: it orders looks, and judges what they found.

use super::deadlines::after;
use super::pool::Pool;
use super::process::Process;
use super::state::{Event, State};
use super::{Deadline, Note, Output, Settings, Timer};
use crate::ids::WorkerId;
use std::time::{Duration, Instant};

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(50);
/// Who was asleep at each look for so long, and has used no processor time meanwhile, waits.
const QUIET: Duration = Duration::from_millis(100);
/// Processor time after which a boot is over. One that waits for its share of a busy machine keeps its slot.
const BUDGET: Duration = Duration::from_secs(5);

/// What all processes of a worker have done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Processor time, that of children which have ended included.
    pub spent: Duration,
    /// Processor time of the threads that live, as exactly as the kernel counts it: it changes whenever one has run.
    pub running: Duration,
    /// Every thread sleeps, and waits for something other than a disk.
    pub asleep: bool,
}

/// Why a boot is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootEnd {
    /// It waits.
    Waits,
    /// It has used so much processor time.
    Spent(Duration),
    /// It could not be seen what it does, for so long.
    Unseen,
}

/// What the looks at one process have found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Booting {
    looked: Option<Instant>,
    /// Since when it was asleep at each look, with this processor time.
    quiet: Option<(Instant, Duration)>,
}

impl Booting {
    fn judge(&mut self, now: Instant, activity: Option<Activity>) -> Option<BootEnd> {
        let Some(Activity { spent, running, asleep }) = activity else {
            self.quiet = None;
            return None;
        };
        if spent >= BUDGET {
            return Some(BootEnd::Spent(spent));
        }
        let (since, before) = *self.quiet.get_or_insert((now, running));
        if !asleep {
            self.quiet = None;
        } else if before != running {
            self.quiet = Some((now, running));
        } else if now.saturating_duration_since(since) >= QUIET {
            return Some(BootEnd::Waits);
        }
        None
    }
}

impl Pool {
    /// What the worker does: the answer to `LookAtBoot`. `None` is not known, which is never taken for waiting.
    pub(super) fn boot_looked(&mut self, now: Instant, id: WorkerId, activity: Option<Activity>) {
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
    pub(super) fn boot_timers(&mut self, now: Instant) {
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
    fn next_boot_look(&self, slot_wanted: Option<Instant>, settings: &Settings) -> Option<Deadline> {
        let State::Starting { pid: Some(_), since, .. } = self.state() else { return None };
        let for_slot = slot_wanted.filter(|_| self.holds_boot_slot());
        let at = for_slot.into_iter().chain(self.alone_since(since, settings)).min()?;
        Some(at.max(after(self.booting.looked.unwrap_or(since), LOOK)))
    }

    /// From when on it is ready though it does not listen, once its boot is over.
    fn alone_since(&self, since: Instant, settings: &Settings) -> Option<Deadline> {
        let delay = settings.ready_without_listening.filter(|_| !self.boot.has_listened())?;
        Some(after(since, delay))
    }
}

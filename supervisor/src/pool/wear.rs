//! When a process has served for long enough: too much memory, its time, or its connections. Its slot then gets another
//! one by a rollout of that one slot; nothing is stopped from here.

use super::deadlines::after;
use super::footprint::{Excess, Footprint, Measure, Spared};
use super::pool::Pool;
use super::process::Process;
use super::{Deadline, JITTER, Note, Output, Settings, Timer};
use crate::ids::WorkerId;
use std::time::{Duration, Instant};

/// After a successor that failed, the process goes on for so long before the next is tried.
const AGAIN: Duration = Duration::from_secs(60);

/// Why a process is to be replaced though it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worn {
    /// It has held more than the limit, in bytes, in each of the last samples, and holds so many by this measure.
    Memory { bytes: u64, limit: u64, measure: Measure },
    /// It has lived for so long.
    Lifetime { after: Duration },
    /// It was given so many connections.
    Connections { given: u64 },
}

/// What one process has been through.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wear {
    since: Option<Instant>,
    lives_until: Option<Deadline>,
    /// It is replaced when it has been given so many connections.
    serves_until: Option<u64>,
    pub(super) footprint: Footprint,
    again_at: Option<Deadline>,
}

impl Wear {
    /// Limits are shortened by up to a fifth, differently for each process, so that those which began together do not end
    /// together.
    pub(super) fn new(now: Instant, id: WorkerId, settings: &Settings) -> Self {
        let factor = 1.0 - JITTER * fraction(settings.seed, id);
        let life = settings.max_lifetime.map(|limit| limit.mul_f64(factor));
        let serve = settings.recycle_after_connections.map(|limit| ((limit as f64 * factor) as u64).max(1));
        Self {
            since: Some(now),
            lives_until: life.map(|life| after(now, life)),
            serves_until: serve,
            ..Self::default()
        }
    }

    /// It has been given so many connections: that is as many as it may, and nobody has tried to replace it.
    pub(super) fn is_spent(&self, given: u64) -> bool {
        self.again_at.is_none() && self.has_served(given)
    }

    fn has_served(&self, given: u64) -> bool {
        self.serves_until.is_some_and(|until| given >= until)
    }

    /// It comes after one that held this, in the same slot.
    pub(super) fn succeed(&mut self, old: &Footprint) {
        self.footprint.succeed(old);
    }

    fn cause(&self, now: Instant, given: u64, settings: &Settings) -> Option<Worn> {
        if self.again_at.is_some() {
            return None;
        }
        let excess = settings.memory_limit.zip(self.footprint.excess());
        let memory = excess.map(|(limit, Excess { bytes, measure })| Worn::Memory { bytes, limit, measure });
        let old = self.lives_until.filter(|until| *until <= now).and(self.since);
        let old = old.map(|since| Worn::Lifetime { after: now.saturating_duration_since(since) });
        memory.or(old).or_else(|| self.has_served(given).then_some(Worn::Connections { given }))
    }

    fn next_look(&self) -> Option<Deadline> {
        self.again_at.into_iter().chain(self.lives_until).max()
    }
}

impl Pool {
    /// So many bytes of memory does the worker hold, what it shares counted in full. Whether that is too much is measured
    /// anew before anything follows.
    pub(super) fn weighed(&mut self, now: Instant, id: WorkerId, resident: u64) {
        let may_be_replaced =
            self.wearing().any(|worker| worker.id() == id && worker.wear.again_at.is_none());
        let Self { processes, settings, outbox, .. } = self;
        let Some(Process { wear, .. }) = processes.active_mut(id) else { return };
        wear.footprint.sample(resident, settings);
        if may_be_replaced && wear.footprint.wants_measure(now, settings) {
            outbox.push_back(Output::MeasureMemory { worker: id });
        }
    }

    /// So many bytes are the worker's own or its part of what it shares; `None` if that cannot be read.
    pub(super) fn memory_measured(&mut self, now: Instant, id: WorkerId, proportional: Option<u64>) {
        let Self { processes, settings, .. } = self;
        let Some((Process { wear, .. }, limit)) = processes.active_mut(id).zip(settings.memory_limit) else {
            return;
        };
        match wear.footprint.measured(now, proportional, settings) {
            Some(Spared::Shares { resident, own }) => {
                self.note(Note::SharesMemory { worker: id, resident, own, limit });
            }
            Some(Spared::LikeTheLast { excess: Excess { bytes, measure }, pause }) => {
                let worn = Worn::Memory { bytes, limit, measure };
                self.note(Note::NoBetter { worker: id, worn, pause });
            }
            None => {}
        }
    }

    /// The worker that is to be replaced next, if any may be now.
    pub(super) fn worn(&self, now: Instant) -> Option<(WorkerId, Worn)> {
        let cause = |process: &Process| process.wear.cause(now, process.load.dispatched(), &self.settings);
        let mut serving = self.wearing();
        serving.find_map(|worker| Some((worker.id(), cause(worker)?)))
    }

    /// Those that were spared for long enough are looked at like any other.
    pub(super) fn spare_no_more(&mut self, now: Instant) {
        for worker in self.processes.currents_mut() {
            worker.wear.again_at = worker.wear.again_at.filter(|at| *at > now);
        }
    }

    /// Nobody was put in its place: not again at once.
    pub(super) fn spare(&mut self, now: Instant, slot: u32) {
        if let Some(worker) = self.processes.current_mut(slot) {
            worker.wear.again_at = Some(after(now, AGAIN));
            worker.wear.footprint.goes_on();
        }
    }

    /// The worker is being replaced for this.
    pub(super) fn is_replaced_for(&mut self, id: WorkerId, worn: Worn) {
        if let (Worn::Memory { .. }, Some(worker)) = (worn, self.processes.active_mut(id)) {
            worker.wear.footprint.is_replaced();
        }
    }

    /// When the next one may be worn out by time alone.
    pub(super) fn wear_timer(&self) -> Option<(Deadline, Timer)> {
        let looks = self.wearing().filter_map(|worker| worker.wear.next_look());
        Some((looks.chain(self.spent).min()?, Timer::Wear))
    }

    /// Those that may be replaced; none while there is something else to do.
    fn wearing(&self) -> impl Iterator<Item = &Process> {
        let idle = self.may_roll();
        let is_wearing = move |process: &&Process| idle && process.is_running() && !self.is_unwanted(process);
        self.processes.currents().filter(is_wearing)
    }
}

/// A number of 0 to 1 that is the process's own.
fn fraction(seed: u64, id: WorkerId) -> f64 {
    let mixed =
        seed ^ (u64::from(id.slot) << 32 | u64::from(id.incarnation)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

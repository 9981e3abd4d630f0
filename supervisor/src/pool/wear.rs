//! When a process has served for long enough: too much memory, its time, or its connections. Its slot then gets another
//! one by a rollout of that one slot; nothing is stopped from here.

use super::deadlines::after;
use super::pool::Pool;
use super::worker::Worker;
use super::{Deadline, JITTER, Settings, Timer};
use crate::ids::WorkerId;
use std::time::{Duration, Instant};

/// After a successor that failed, the process goes on for so long before the next is tried.
const AGAIN: Duration = Duration::from_secs(60);

/// Why a process is to be replaced though it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worn {
    /// It has held more than the limit, in bytes, in each of the last samples; so many in the last.
    Memory { bytes: u64, limit: u64 },
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
    /// Connections that its slot had been given before it, and the count at which it is replaced.
    before: u64,
    serves_until: Option<u64>,
    /// Samples in a row that were over the limit, and the last of them.
    over: u32,
    bytes: u64,
    again_at: Option<Deadline>,
}

impl Wear {
    /// Limits are shortened by up to a fifth, differently for each process, so that those which began together do not end
    /// together.
    pub(super) fn new(now: Instant, id: WorkerId, dispatched: u64, settings: &Settings) -> Self {
        let factor = 1.0 - JITTER * fraction(settings.seed, id);
        let life = settings.max_lifetime.map(|limit| limit.mul_f64(factor));
        let serve = settings.recycle_after_connections.map(|limit| ((limit as f64 * factor) as u64).max(1));
        Self {
            since: Some(now),
            lives_until: life.map(|life| after(now, life)),
            before: dispatched,
            serves_until: serve.map(|serve| dispatched.saturating_add(serve)),
            ..Self::default()
        }
    }

    /// It has been given as many connections as it may, of all that the slot was given, and nobody has tried to replace it.
    pub(super) fn is_spent(&self, dispatched: u64) -> bool {
        self.again_at.is_none() && self.has_served(dispatched)
    }

    fn has_served(&self, dispatched: u64) -> bool {
        self.serves_until.is_some_and(|until| dispatched >= until)
    }

    /// What the slot had been given before counts for nobody.
    pub(super) fn begin_after(&mut self, dispatched: u64) {
        self.before += dispatched;
        self.serves_until = self.serves_until.map(|until| until.saturating_add(dispatched));
    }

    fn sample(&mut self, bytes: u64, settings: &Settings) {
        let over = settings.memory_limit.is_some_and(|limit| bytes > limit);
        self.over = if over { self.over.saturating_add(1) } else { 0 };
        self.bytes = bytes;
    }

    fn cause(&self, now: Instant, dispatched: u64, settings: &Settings) -> Option<Worn> {
        if self.again_at.is_some() {
            return None;
        }
        let memory = settings.memory_limit.filter(|_| self.over >= settings.memory_samples.max(1));
        let memory = memory.map(|limit| Worn::Memory { bytes: self.bytes, limit });
        let old = self.lives_until.filter(|until| *until <= now).and(self.since);
        let old = old.map(|since| Worn::Lifetime { after: now.saturating_duration_since(since) });
        let given = dispatched.saturating_sub(self.before);
        memory.or(old).or_else(|| self.has_served(dispatched).then_some(Worn::Connections { given }))
    }

    fn next_look(&self) -> Option<Deadline> {
        self.again_at.into_iter().chain(self.lives_until).max()
    }
}

impl Pool {
    /// So many bytes of memory does the worker hold.
    pub(super) fn weighed(&mut self, id: WorkerId, bytes: u64) {
        let Self { workers, settings, .. } = self;
        if let Some(worker) = workers.by_id_mut(id) {
            worker.wear.sample(bytes, settings);
        }
    }

    /// The worker that is to be replaced next, if any may be now.
    pub(super) fn worn(&self, now: Instant) -> Option<(WorkerId, Worn)> {
        let cause = |worker: &Worker| worker.wear.cause(now, worker.dispatched(), &self.settings);
        let mut serving = self.wearing();
        serving.find_map(|worker| Some((worker.id(), cause(worker)?)))
    }

    /// Those that were spared for long enough are looked at like any other.
    pub(super) fn spare_no_more(&mut self, now: Instant) {
        for worker in self.workers.iter_mut() {
            worker.wear.again_at = worker.wear.again_at.filter(|at| *at > now);
        }
    }

    /// Nobody was put in its place: not again at once.
    pub(super) fn spare(&mut self, now: Instant, slot: u32) {
        if let Some(worker) = self.workers.get_mut(slot as usize) {
            worker.wear.again_at = Some(after(now, AGAIN));
        }
    }

    /// When the next one may be worn out by time alone.
    pub(super) fn wear_timer(&self) -> Option<(Deadline, Timer)> {
        let looks = self.wearing().filter_map(|worker| worker.wear.next_look());
        Some((looks.chain(self.spent).min()?, Timer::Wear))
    }

    /// Those that may be replaced; none while there is something else to do.
    fn wearing(&self) -> impl Iterator<Item = &Worker> {
        let idle = self.may_roll();
        self.workers.iter().filter(move |worker| idle && worker.is_running() && !worker.removed)
    }
}

/// A number of 0 to 1 that is the process's own.
fn fraction(seed: u64, id: WorkerId) -> f64 {
    let mixed =
        seed ^ (u64::from(id.slot) << 32 | u64::from(id.incarnation)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

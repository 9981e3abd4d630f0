//! What one process has been through, and when that is enough: too much memory, its time, or its connections. It stops nothing.

use super::footprint::{Excess, Footprint};
use crate::ids::WorkerId;
use crate::pool::vocabulary::deadlines::after;
use crate::pool::{Deadline, RecycleReason, Settings};
use std::time::Instant;

/// What one process has been through.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::pool) struct Recycle {
    since: Option<Instant>,
    lives_until: Option<Deadline>,
    /// It is replaced when it has been given so many connections.
    serves_until: Option<u64>,
    pub(in crate::pool) footprint: Footprint,
    pub(in crate::pool) again_at: Option<Deadline>,
}

impl Recycle {
    /// Limits are shortened differently for each process, so that those which began together do not end together.
    pub(in crate::pool) fn new(now: Instant, id: WorkerId, settings: &Settings) -> Self {
        let factor = 1.0 - settings.recycle.jitter() * fraction(settings.seed, id);
        let life = settings.recycle.max_lifetime.map(|limit| limit.mul_f64(factor));
        let serve =
            settings.recycle.recycle_after_connections.map(|limit| ((limit as f64 * factor) as u64).max(1));
        Self {
            since: Some(now),
            lives_until: life.map(|life| after(now, life)),
            serves_until: serve,
            ..Self::default()
        }
    }

    /// It has been given so many connections: that is as many as it may, and nobody has tried to replace it.
    pub(in crate::pool) fn is_spent(&self, given: u64) -> bool {
        self.again_at.is_none() && self.has_served(given)
    }

    fn has_served(&self, given: u64) -> bool {
        self.serves_until.is_some_and(|until| given >= until)
    }

    /// It comes after one that held this, in the same slot.
    pub(in crate::pool) fn succeed(&mut self, old: &Footprint) {
        self.footprint.succeed(old);
    }

    pub(in crate::pool) fn cause(
        &self,
        now: Instant,
        given: u64,
        settings: &Settings,
    ) -> Option<RecycleReason> {
        if self.again_at.is_some() {
            return None;
        }
        let excess = settings.recycle.memory_bytes().zip(self.footprint.excess());
        let memory =
            excess.map(|(limit, Excess { bytes, measure })| RecycleReason::Memory { bytes, limit, measure });
        let old = self.lives_until.filter(|until| *until <= now).and(self.since);
        let old = old.map(|since| RecycleReason::Lifetime { after: now.saturating_duration_since(since) });
        memory.or(old).or_else(|| self.has_served(given).then_some(RecycleReason::Connections { given }))
    }

    pub(in crate::pool) fn next_look(&self) -> Option<Deadline> {
        self.again_at.into_iter().chain(self.lives_until).max()
    }
}

/// A number of 0 to 1 that is the process's own.
fn fraction(seed: u64, id: WorkerId) -> f64 {
    let mixed =
        seed ^ (u64::from(id.slot) << 32 | u64::from(id.incarnation)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

//! What a balancer knows of steady traffic: connections have come one after the other for long, and workers that can wait at the queue
//! itself all do. The kernel wakes them by turns, each accepts one, and nobody is told of single connections. It gives nothing itself.

use crate::pool::Settings;
use crate::pool::vocabulary::deadlines::after;
use std::time::{Duration, Instant};

/// `Settings::steady_after` connections make it steady, if they come with no longer time between two of them.
const GAP: Duration = Duration::from_millis(100);
/// It ends when none has come for so long, and begins again
pub(in crate::pool) const SILENCE: Duration = Duration::from_millis(20);
/// after this part of them.
const AGAIN: u64 = 2;
/// When it has lasted for long enough, each lane has its turn so many times before it begins again.
const ROUNDS: u64 = 4;

/// What a balancer knows of it.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::pool) struct Steady {
    /// Connections that had been accepted when this was last looked at.
    accepted: u64,
    /// How many have come in a row,
    in_a_row: u64,
    /// the last of them then.
    last: Option<Instant>,
    /// The kernel wakes workers by turns, until then.
    pub(in crate::pool) until: Option<Instant>,
}

impl Steady {
    /// So many have been accepted by now.
    pub(in crate::pool) fn saw(&mut self, now: Instant, accepted: u64) {
        let count = accepted.saturating_sub(std::mem::replace(&mut self.accepted, accepted));
        if self.last.is_some_and(|last| after(last, GAP) < now) {
            self.in_a_row = 0;
        }
        if count > 0 {
            self.in_a_row = self.in_a_row.saturating_add(count);
            self.last = Some(now);
        }
    }

    pub(in crate::pool) fn is_due(&self, settings: &Settings) -> bool {
        self.in_a_row >= settings.steady_after
    }

    /// The kernel wakes workers by turns.
    pub(in crate::pool) fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// It does so no longer, because workers are behind.
    pub(in crate::pool) fn end(&mut self) {
        self.until = None;
    }

    /// It does so no longer, because nobody comes.
    pub(in crate::pool) fn fades(&mut self, settings: &Settings) {
        if self.until.take().is_some() {
            self.in_a_row = self.in_a_row.min(settings.steady_after - settings.steady_after / AGAIN);
        }
    }

    /// It has done so for long enough. What has come so far counts for the next time, but for a few turns of each of these lanes.
    pub(in crate::pool) fn has_lasted(&mut self, now: Instant, lanes: u32, settings: &Settings) -> bool {
        let is_over = self.until.is_some_and(|until| until <= now);
        if is_over {
            self.until = None;
            self.in_a_row = settings.steady_after.saturating_sub(ROUNDS * u64::from(lanes));
        }
        is_over
    }
}

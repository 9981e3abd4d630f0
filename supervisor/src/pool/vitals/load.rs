//! How many connections a worker has: what was last counted, and what it has been given since.
//! It counts nothing itself; while the worker has as many as it may, it tells when to count again.

use crate::pool::vocabulary::deadlines::after;
use crate::pool::{Deadline, Settings};
use std::time::{Duration, Instant};

/// A full worker is counted this soon, and at least this often.
const COUNT_SOON: Duration = Duration::from_millis(1);
const COUNT_AT_LEAST: Duration = Duration::from_millis(640);

/// The connections of one process. What is taken back from its lanes stays in the sum until the next count: how many that
/// were is known only to a bound, and a limit is better not reached than exceeded.
#[derive(Clone, Debug, Default)]
pub(in crate::pool) struct Load {
    /// Given to the process so far.
    dispatched: u64,
    /// The last count of what is open in its process.
    counted: Option<u64>,
    /// Given since then.
    since: u64,
    count: Option<Count>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    at: Instant,
    /// What the wait before it was; the next is twice as long.
    step: Duration,
}

impl Count {
    fn soon(now: Instant) -> Self {
        Self { at: after(now, COUNT_SOON), step: COUNT_SOON }
    }
}

impl Load {
    pub(in crate::pool) fn dispatched(&self) -> u64 {
        self.dispatched
    }

    /// `None` until somebody has counted.
    pub(in crate::pool) fn counted(&self) -> Option<u64> {
        self.counted.map(|counted| counted.saturating_add(self.since))
    }

    /// An upper bound of what is open, as far as anybody has counted.
    pub(in crate::pool) fn open(&self) -> u64 {
        self.counted.unwrap_or(0).saturating_add(self.since)
    }

    pub(in crate::pool) fn is_full(&self, settings: &Settings) -> bool {
        settings.balancing.max_connections.is_some_and(|max| self.open() >= u64::from(max))
    }

    /// It has been given so many, or the right to accept them.
    pub(in crate::pool) fn add(&mut self, count: u64) {
        self.since = self.since.saturating_add(count);
    }

    /// So many have reached it.
    pub(in crate::pool) fn took(&mut self, count: u64) {
        self.dispatched = self.dispatched.saturating_add(count);
    }

    /// What it has been given so far is counted elsewhere from now on.
    pub(in crate::pool) fn take_dispatched(&mut self) -> u64 {
        std::mem::take(&mut self.dispatched)
    }

    /// The last one came back.
    pub(in crate::pool) fn took_back(&mut self) {
        self.since = self.since.saturating_sub(1);
    }

    /// So many were open, not counting so many that are only now on their way.
    pub(in crate::pool) fn report(&mut self, open: u64, coming: u64) {
        self.counted = Some(open);
        self.since = coming;
    }

    /// Another process takes the place of the one that was counted.
    pub(in crate::pool) fn forget(&mut self) {
        self.counted = None;
        self.since = 0;
        self.count = None;
    }

    /// Counts are due for as long as the worker is full.
    pub(in crate::pool) fn watch(&mut self, now: Instant, full: bool) {
        self.count = full.then(|| self.count.unwrap_or_else(|| Count::soon(now)));
    }

    /// It may have fewer than is believed: if it is full, it is counted as soon as if it had become so now, and no later than it
    /// would have been.
    pub(in crate::pool) fn count_anew(&mut self, now: Instant) {
        if let Some(count) = &mut self.count {
            let soon = Count::soon(now);
            *count = Count { at: count.at.min(soon.at), ..soon };
        }
    }

    pub(in crate::pool) fn count_at(&self) -> Option<Deadline> {
        self.count.map(|count| count.at)
    }

    /// Is it time to count? If so, the next count is set.
    pub(in crate::pool) fn count_due(&mut self, now: Instant) -> bool {
        let Some(count) = self.count.filter(|count| count.at <= now) else { return false };
        let step = count.step.saturating_mul(2).min(COUNT_AT_LEAST);
        self.count = Some(Count { at: after(now, step), step });
        true
    }
}

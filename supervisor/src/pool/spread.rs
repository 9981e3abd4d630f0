//! What is known of how evenly workers take while all have open credits. Plain data.

use super::Deadline;
use std::time::Duration;

/// How often those with open credits are compared, and how long a rest lasts: whoever looks on from outside sees a worker that sleeps
/// while connections wait, and after 5 ms has to take it for one that was forgotten.
pub(super) const LOOK: Duration = Duration::from_millis(3);
/// Who is ahead of the least by no more than this many connections is not far ahead,
const AHEAD_BY: u64 = 32;
/// nor who is ahead by no more than one in so many.
const AHEAD_SHARE: u64 = 10;

/// The comparison of the lanes of one balancer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spread {
    pub(super) next: Option<Deadline>,
    /// How many waited in the queue at the last one.
    pub(super) waiting: u32,
    /// Rests in a row that were of no use.
    pub(super) useless: u32,
    /// So many comparisons have no consequence.
    pub(super) skip: u32,
}

/// What one lane has taken by open credits since there were any.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Storm {
    pub(super) taken: u64,
    /// That, at the last comparison.
    pub(super) seen: u64,
}

impl Storm {
    /// It has taken far more than so many.
    pub(super) fn is_far_from(&self, least: Option<u64>) -> bool {
        least.is_some_and(|least| self.taken > least + AHEAD_BY.max(least / AHEAD_SHARE))
    }
}

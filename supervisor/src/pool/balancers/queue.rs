//! What a balancer that works by credit knows of the queue of its socket, and of how evenly workers take from it. Plain data.

use super::steady::Steady;
use crate::pool::Deadline;
use std::time::{Duration, Instant};

/// A single that is unused for so long holds nothing up: another lane gets one too.
pub(in crate::pool) const LATE: Duration = Duration::from_millis(1);
/// A lane that was given a credit within this time and has used it is taken to be busy with what it accepted.
pub(super) const FRESH: Duration = Duration::from_micros(500);
/// Open credits are not given for a queue shorter than this, but in a storm.
pub(in crate::pool) const DEEP: u32 = 2;

/// How often those with open credits are compared, and how long a rest lasts: whoever looks on from outside sees a worker that sleeps
/// while connections wait, and after 5 ms has to take it for one that was forgotten.
pub(in crate::pool) const LOOK: Duration = Duration::from_millis(3);

/// What a balancer that works by credit knows of its queue.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::pool) struct Queue {
    /// How many were last seen to wait.
    pub(in crate::pool) waiting: u32,
    /// A lane has come into rotation since the queue was last looked at.
    pub(in crate::pool) has_joined: bool,
    /// Connections that were seen to wait and are not covered by a credit.
    pub(in crate::pool) queued: u32,
    /// When the queue is looked at, whatever is told.
    pub(in crate::pool) look: Option<Deadline>,
    /// When anything was last seen to be taken by an open credit, or one was given.
    pub(in crate::pool) moved: Option<Instant>,
    pub(in crate::pool) spread: Spread,
    /// Singles that were not used in time.
    pub(in crate::pool) late: u64,
    pub(in crate::pool) storm: StormState,
    pub(in crate::pool) steady: Steady,
}

/// What a balancer knows of a storm: workers are behind, and all have open credits for a while.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::pool) struct StormState {
    /// Until then open credits are given to whoever has none.
    pub(in crate::pool) until: Option<Instant>,
    /// Connections that had been accepted when the queue was last looked at while all had open credits.
    pub(in crate::pool) accepted: u64,
    /// How often workers have found the queue empty since then, though their credits stay open.
    pub(in crate::pool) empty: u64,
    /// Somebody's right to accept has ended, and the kernel may have woken that worker for a connection.
    pub(in crate::pool) may_be_missed: bool,
    /// Nothing was accepted between the last two looks, though the queue was not empty.
    pub(in crate::pool) stands: bool,
}

impl StormState {
    /// Somebody's right to accept has ended.
    pub(in crate::pool) fn right_ended(&mut self) {
        self.may_be_missed = true;
    }
}

/// The comparison of the lanes of one balancer.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::pool) struct Spread {
    pub(in crate::pool) next: Option<Deadline>,
    /// How many waited in the queue at the last one.
    pub(in crate::pool) waiting: u32,
    /// Rests in a row that were of no use.
    pub(in crate::pool) useless: u32,
    /// So many comparisons have no consequence.
    pub(in crate::pool) skip: u32,
}

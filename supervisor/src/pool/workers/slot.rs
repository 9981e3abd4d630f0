//! A slot: what stays while one process follows another in it. It knows no process but by its number, and starts none.

use super::backoff::Backoff;
use crate::ids::WorkerId;
use crate::pool::vitals::footprint::Footprint;
use crate::pool::{Exit, Settings};

/// A place for one process at a time. Which process has it now is told by `Processes::current`.
#[derive(Clone, Debug)]
pub(in crate::pool) struct Slot {
    id: u32,
    /// The incarnation of the process that is made for it next.
    next: u32,
    pub(in crate::pool) backoff: Backoff,
    /// Its processes get no connections because somebody said so.
    pub(in crate::pool) cordoned: bool,
    /// It was scaled away: it disappears when its last process is gone.
    pub(in crate::pool) removed: bool,
    /// A process of it has ended unasked, or did not come to be.
    pub(in crate::pool) has_died: bool,
    pub(in crate::pool) last_exit: Option<Exit>,
    /// The memory of the process that had it before its current one.
    footprint: Footprint,
    /// Connections given to the processes that had it before its current one.
    dispatched: u64,
    /// Processes that were started in it.
    started: u64,
}

impl Slot {
    /// `past` is the incarnation of the last process that the slot had when it was scaled away.
    pub(in crate::pool) fn new(id: u32, past: u32, settings: &Settings) -> Self {
        Self {
            id,
            next: past + 1,
            backoff: Backoff::new(id, settings),
            cordoned: false,
            removed: false,
            has_died: false,
            last_exit: None,
            footprint: Footprint::default(),
            dispatched: 0,
            started: 0,
        }
    }

    /// Its index.
    pub(in crate::pool) fn id(&self) -> u32 {
        self.id
    }

    /// The incarnation that was named last; 0 before the first.
    pub(in crate::pool) fn last_incarnation(&self) -> u32 {
        self.next - 1
    }

    /// The name of one more process. No other ever gets it.
    pub(in crate::pool) fn name_next(&mut self) -> WorkerId {
        let id = WorkerId { slot: self.id, incarnation: self.next };
        self.next += 1;
        id
    }

    /// A process has it no longer: what is counted over all of them, and what the next is measured by, is kept.
    pub(in crate::pool) fn keep(&mut self, dispatched: u64, footprint: Footprint) {
        self.dispatched += dispatched;
        self.footprint = footprint;
    }

    /// What the process before its current one was known to hold.
    pub(in crate::pool) fn footprint(&self) -> &Footprint {
        &self.footprint
    }

    /// A process of it has come to be.
    pub(in crate::pool) fn count_started(&mut self) {
        self.started += 1;
    }

    /// Processes that were started in it.
    pub(super) fn started(&self) -> u64 {
        self.started
    }

    /// Connections given to the processes that had it before its current one.
    pub(super) fn dispatched_before(&self) -> u64 {
        self.dispatched
    }
}

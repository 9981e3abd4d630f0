//! The states of a process. Plain data: the table that changes them is in `transition`.

use super::exit::Signal;
use std::time::Instant;

/// Where a process is in its life. `pid` is `None` until the shell has told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No process. It starts at `due`, or as soon after as a boot slot is free.
    Standby { due: Option<Instant>, reason: Reason },
    /// Spawned at `since` (ordered then, while `pid` is unknown), not yet listening; holds a boot slot while
    /// `slot_until` is set.
    Starting { pid: Option<u32>, since: Instant, slot_until: Option<Instant> },
    /// It listens, or has had its time to. Until it has `settled` it may yet listen on more addresses.
    Running { pid: Option<u32>, since: Instant, settled: bool },
    /// Told to stop.
    Stopping(Stop),
}

/// Why a slot has no process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It has not been started yet.
    Unstarted,
    /// Another process follows.
    Restart,
    /// Its process ended and its restart budget is spent.
    BudgetSpent,
    /// Its process ended with a code that says it has done its work.
    Finished,
    /// It was told to stop.
    Stopped,
}

/// How a process stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    /// The first process, once known.
    pub pid: Option<u32>,
    /// When it was spawned.
    pub since: Instant,
    /// When it was told to stop.
    pub asked: Instant,
    /// Out of rotation and not yet told to stop: it finishes what it has, but is told no later than this.
    pub drain_until: Option<Instant>,
    /// When it is killed; `None` is never, that it has been, or that it drains.
    pub force_at: Option<Instant>,
    /// What it was last told to stop by: what a process that appears only now is sent.
    pub signal: Signal,
    /// Somebody debugs it and will end it.
    pub debugging: bool,
    /// What follows once it is gone.
    pub next: Next,
}

impl Stop {
    /// It finishes what it has and has not been told to stop.
    pub(crate) fn drains(&self) -> bool {
        self.drain_until.is_some()
    }

    /// It has been killed.
    pub(crate) fn forced(&self) -> bool {
        self.signal == Signal::Kill
    }
}

/// What follows when a stopping worker is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Next {
    /// It stays down.
    Nothing,
    /// It starts again, as part of a restart.
    Restart,
    /// It starts again, because somebody wants it started.
    Start,
}

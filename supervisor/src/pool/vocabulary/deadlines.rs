//! Every moment the pool waits for, by name, and the earliest of them. It reads no clock and arms nothing:
//! the earliest is computed from the states, or lowered where a connection is dispatched.

use std::time::{Duration, Instant};

/// A moment after which `Pool::handle_timeout` has something to do.
pub(crate) type Deadline = Instant;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// A worker in standby is to be started.
    Restart,
    /// A starting worker gives up its boot slot.
    BootSlot,
    /// It is looked whether a starting worker still boots.
    Boot,
    /// A starting worker that is not ready has failed, or counts as running.
    StartTimeout,
    /// A running worker has listened on all it is going to; what nobody serves may be closed.
    Settle,
    /// A stopping worker, or one that retires, has drained for as long as it may.
    Drain,
    /// A stopping worker, or one that retires, is killed.
    Force,
    /// What waits in a lane is looked at.
    Look,
    /// What waits in the queue of a balancer that works by credit is looked at.
    Queue,
    /// The connections of a worker that has as many as it may are counted.
    Count,
    /// The socket of a balancer is opened again.
    Reopen,
    /// The next lane of a balancer may have its socket.
    Admission,
    /// A balancer has had no worker for too long.
    Refuse,
    /// A process has lived for as long as it may.
    Recycle,
    /// A successor has been well for long enough, or listens on all it is going to.
    Rollout,
    /// The next stage of the cluster's stop.
    Close,
}

/// The earliest deadline. Kept, because computing it visits every worker and lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::pool) struct Deadlines {
    next: Option<(Deadline, Timer)>,
}

impl Deadlines {
    pub(in crate::pool) fn next(self) -> Option<(Deadline, Timer)> {
        self.next
    }

    /// There is something to do at `at`.
    pub(in crate::pool) fn lower(&mut self, at: Deadline, timer: Timer) {
        if self.next.is_none_or(|(next, _)| at < next) {
            self.next = Some((at, timer));
        }
    }
}

/// The moment `wait` after `now`; a wait of more than a century is one of a century, so that no sum overflows.
pub(in crate::pool) fn after(now: Instant, wait: Duration) -> Deadline {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    now + wait.min(CENTURY)
}

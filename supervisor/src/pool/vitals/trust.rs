//! What a process has said of itself, and whose word counts for a worker: that of its own processes, whoever they run as, and of processes
//! that nobody can place only if they run as somebody who could do the worker any harm anyway. It asks the system nothing.

use crate::ids::WorkerId;
use crate::pool::Deadline;

/// What a process has announced.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::pool) struct SelfReport {
    /// It is about to end.
    pub(in crate::pool) stopping: bool,
    /// It will be ready by then.
    pub(in crate::pool) extended: Option<Deadline>,
}

impl SelfReport {
    /// When it must be ready: at `limit`, or later if it has said so.
    pub(in crate::pool) fn start_by(&self, limit: Deadline) -> Deadline {
        self.extended.map_or(limit, |extended| limit.max(extended))
    }
}

/// Where a process stands in the tree of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kin {
    /// A known process of this worker, or a descendant of one.
    Of(WorkerId),
    /// A descendant of the supervisor: its worker's parent process is gone.
    Orphan,
    /// Nobody's, or its place cannot be known: it has ended, or is in another PID namespace.
    Unknown,
}

/// Who a process runs as, as the kernel attests it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// Root, or the supervisor's own user.
    Master,
    /// A user that a process of the worker runs as.
    Workers,
    /// Somebody else, or somebody who cannot be told from others.
    Stranger,
}

/// Whether what a process says to a worker's socket, or with its token, counts as the worker's word. `user` is looked up
/// only where the tree does not tell.
pub(crate) fn speaks_for(worker: WorkerId, kin: Kin, user: impl FnOnce() -> User) -> bool {
    match kin {
        // Of the old and the new life of a slot each may hold what the other left.
        Kin::Of(other) => other.slot == worker.slot,
        Kin::Orphan => true,
        // As `systemd-notify`, which has ended when its message is read, or a server that went into the background.
        Kin::Unknown => match user() {
            User::Master | User::Workers => true,
            User::Stranger => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_of_the_rule() {
        let worker = WorkerId { slot: 1, incarnation: 4 };
        let earlier = WorkerId { slot: 1, incarnation: 3 };
        let other = WorkerId { slot: 2, incarnation: 4 };
        for user in [User::Master, User::Workers, User::Stranger] {
            assert!(speaks_for(worker, Kin::Of(worker), || user));
            assert!(speaks_for(worker, Kin::Of(earlier), || user));
            assert!(!speaks_for(worker, Kin::Of(other), || user), "not even as {user:?}");
            assert!(speaks_for(worker, Kin::Orphan, || user));
            assert_eq!(speaks_for(worker, Kin::Unknown, || user), user != User::Stranger);
        }
    }
}

//! Names of the things the core talks about. Plain numbers; no fd, pid or address is ever one of them.

use std::fmt;

/// One life of one worker: the slot stays, the incarnation grows by one with each process started in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId {
    /// Index of the worker in the cluster, from 0. Not the logical id: that is a string of the user's.
    pub slot: u32,
    /// Counts the processes of this slot, from 1; 0 names no process.
    pub incarnation: u32,
}

/// A shared listening address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BalancerId(pub u32);

/// A lane; never used twice in the life of a supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LaneId(pub u64);

/// An accepted connection that the shell holds until it is dispatched or refused; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ConnId(pub u64);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.slot, self.incarnation)
    }
}

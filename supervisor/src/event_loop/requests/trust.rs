//! Who a process is whose word has come: its place in the tree of processes and its user, as the kernel attests them.
//! Whether its word counts is the core's to say.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::WorkerId;
use crate::io::process::procfs;
use crate::pool::{Kin, User, speaks_for};

/// Parents that are asked for before a process counts as nobody's.
const GENERATIONS: usize = 32;

impl<O: Os> Shell<O> {
    /// Whether what this process and user say counts as the worker's word. Pid 0 is one of another PID namespace.
    pub(in crate::event_loop) fn speaks_for(&self, worker: WorkerId, pid: u32, uid: u32) -> bool {
        let known = self.lives.process(worker).is_some_and(|process| process.knows(pid));
        known || speaks_for(worker, self.kin(pid), || self.user(worker, uid))
    }

    /// Whether it is one of the cluster's processes, or could do what it likes with them: only such a process's descriptors
    /// are taken in, and only such a process gets an answer.
    pub(in crate::event_loop) fn is_ours(&self, pid: u32, uid: u32) -> bool {
        procfs::is_master(uid) || self.kin(pid) != Kin::Unknown
    }

    fn user(&self, worker: WorkerId, uid: u32) -> User {
        if procfs::is_master(uid) {
            User::Master
        } else if procfs::is_distinct(uid)
            && self.pids(worker).into_iter().any(|pid| procfs::users(pid).contains(&uid))
        {
            User::Workers
        } else {
            User::Stranger
        }
    }

    /// The worker that a process belongs to, if one is known.
    pub(super) fn whose(&self, pid: u32) -> Option<WorkerId> {
        match self.kin(pid) {
            Kin::Of(worker) => Some(worker),
            Kin::Orphan | Kin::Unknown => None,
        }
    }

    fn kin(&self, pid: u32) -> Kin {
        let mut at = pid;
        for _ in 0..GENERATIONS {
            if let Some(worker) = self.lives.by_pid(at) {
                return Kin::Of(worker);
            }
            match procfs::parent(at) {
                Some(parent) if parent == std::process::id() => return Kin::Orphan,
                Some(parent) if parent > 1 => at = parent,
                Some(_) | None => break,
            }
        }
        Kin::Unknown
    }
}

//! Lanes of processes that have ended while their worker lives on: what nobody has inherited is closed, before a client
//! comes to wait there, and its descriptors are free again. It ends no process.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::WorkerId;
use crate::io::lanes::lane_owner_probe::{Question, Wanted};
use std::time::{Duration, Instant};

/// From the end of a process to the first look: one that goes into the background has forked by then, twice. Each
/// further one comes later, for a process that is just being started holds for a moment whatever this one has.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(20)];

#[derive(Debug)]
struct OrphanLook {
    due: Instant,
    /// The process that has ended.
    pid: u32,
    /// Looks that were in vain.
    looks: usize,
}

/// Processes of one worker whose lanes are to be looked at.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct OrphanedLanes(Vec<OrphanLook>);

impl OrphanedLanes {
    pub(in crate::event_loop) fn next_deadline(&self) -> Option<Instant> {
        self.0.iter().map(|look| look.due).min()
    }
}

impl<O: Os> Shell<O> {
    /// A process of the worker has ended.
    pub(in crate::event_loop) fn has_ended(&mut self, worker: WorkerId, pid: u32) {
        let held = self.lanes.all.values().any(|lane| lane.worker == worker && lane.holder.pid == pid);
        if let Some(life) = self.lives.get_mut(worker).filter(|_| held) {
            life.orphaned_lanes.0.push(OrphanLook { due: self.now + PAUSES[0], pid, looks: 0 });
        }
    }

    /// Looks at the lanes whose time has come.
    pub(in crate::event_loop) fn look_at_orphaned_lanes(&mut self) {
        let now = self.now;
        let mut due = Vec::new();
        for (worker, life) in self.lives.iter_mut() {
            due.extend(
                life.orphaned_lanes.0.extract_if(.., |look| look.due <= now).map(|look| (worker, look)),
            );
        }
        for (worker, OrphanLook { pid, looks, .. }) in due {
            let left =
                self.lanes.all.iter().filter(|(_, lane)| lane.worker == worker && lane.holder.pid == pid);
            let (coming, lanes): (Vec<_>, Vec<_>) = left
                .map(|(&lane, its)| Wanted { lane, inode: its.inode, seen_at: its.seen_at })
                .partition(|wanted| self.is_coming(wanted.lane));
            if lanes.is_empty() && coming.is_empty() {
                continue;
            }
            let pids = self.possible_holders(worker);
            self.lanes.owner_probe.ask(Question { lanes, pids, idle: false });
            if let (Some(pause), Some(life)) = (PAUSES.get(looks + 1), self.lives.get_mut(worker)) {
                life.orphaned_lanes.0.push(OrphanLook { due: now + *pause, pid, looks: looks + 1 });
            }
        }
    }
}

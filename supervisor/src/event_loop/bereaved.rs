//! Lanes of processes that have ended while their worker lives on: what nobody has inherited is closed, before a client
//! comes to wait there, and its descriptors are free again. It ends no process.

use super::Shell;
use crate::ids::{LaneId, WorkerId};
use crate::io::child;
use crate::io::scout::Question;
use std::time::{Duration, Instant};

/// From the end of a process to the look: one that goes into the background has forked by then, twice.
const PAUSE: Duration = Duration::from_millis(100);

/// Processes whose lanes are to be looked at, and when; in the order of time.
#[derive(Debug, Default)]
pub(super) struct Bereaved(Vec<(Instant, WorkerId, u32)>);

impl Bereaved {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.0.first().map(|(due, _, _)| *due)
    }
}

impl Shell {
    /// A process of the worker has ended.
    pub(super) fn has_ended(&mut self, worker: WorkerId, pid: u32) {
        let held = self.lanes.values().any(|lane| lane.worker == worker && lane.holder.pid == pid);
        if held && self.processes.contains_key(&worker) {
            self.bereaved.0.push((self.now + PAUSE, worker, pid));
        }
    }

    /// Looks at the lanes whose time has come.
    pub(super) fn look_at_bereaved(&mut self) {
        let due = self.bereaved.0.iter().take_while(|(due, _, _)| *due <= self.now).count();
        for (_, worker, pid) in self.bereaved.0.drain(..due).collect::<Vec<_>>() {
            let is_coming = |id: &LaneId| self.deliveries.iter().any(|(coming, _)| coming == id);
            let left = self.lanes.iter().filter(|(_, lane)| lane.worker == worker && lane.holder.pid == pid);
            let lanes: Vec<_> =
                left.filter(|(id, _)| !is_coming(id)).map(|(id, lane)| (*id, lane.inode)).collect();
            if !lanes.is_empty() {
                // Where orphans become children of this process one that has left its family is found too.
                let orphans = if self.signals.is_some() { child::children() } else { Vec::new() };
                let pids = self.pids(worker).into_iter().chain(orphans).collect();
                self.scout.ask(Question { lanes, pids });
            }
        }
    }
}

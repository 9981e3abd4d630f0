//! Workers in whose place a process without the preloaded library listens: it is told once for each worker, in the log and in
//! `status`, and such a worker is not ready by its own word. Only workers without a lane are looked at.

mod watch;

use super::Shell;
use crate::api::{Cause, CauseKind};
use crate::ids::WorkerId;
use crate::io::sockets::unmanaged_listener::{Look, Suspects, UnmanagedListener};
use crate::pool::Input;
use std::collections::HashMap;
use std::ffi::OsString;
use std::time::Instant;
use watch::{Verdict, Watch};

/// The workers that have no lane, as far as is known.
#[derive(Debug, Default)]
pub(super) struct Watches(HashMap<WorkerId, Watch>);

impl Watches {
    /// The worker was started, with the library of this file name.
    pub(super) fn begin(&mut self, worker: WorkerId, library: OsString, now: Instant) {
        self.0.insert(worker, Watch::new(now, library));
    }

    /// The worker is gone, or listens in the cluster.
    pub(super) fn forget(&mut self, worker: WorkerId) {
        self.0.remove(&worker);
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.0.values().map(|watch| watch.next).min()
    }

    /// Why nothing can come to the worker, if that was found out.
    pub(super) fn cause(&self, worker: WorkerId) -> Option<&Cause> {
        self.0.get(&worker)?.cause.as_ref()
    }
}

impl Shell {
    /// The worker says that it is ready. One that has no lane is looked at first: whoever listens without the library is
    /// not where connections come.
    pub(super) fn says_ready(&mut self, worker: WorkerId) {
        let is_sure = self.runs(worker) || self.has_lane(worker);
        match self.uncovered.0.get_mut(&worker) {
            // Who says so again and again is looked at no oftener for it.
            Some(watch) if !is_sure && watch.says_ready => {}
            Some(watch) if !is_sure => {
                watch.on_ready(self.now);
                self.look_for_uncovered();
            }
            _ => self.input(Input::Ready { worker }),
        }
    }

    fn has_lane(&self, worker: WorkerId) -> bool {
        self.lanes.values().any(|lane| lane.worker == worker)
    }

    /// Asks of each worker for which it is time.
    pub(super) fn look_for_uncovered(&mut self) {
        let now = self.now;
        let due = self.uncovered.0.iter().filter(|(_, watch)| watch.next <= now);
        for worker in due.map(|(worker, _)| *worker).collect::<Vec<_>>() {
            if self.has_lane(worker) {
                self.is_covered(worker);
                continue;
            }
            let pids = self.pids(worker);
            if let Some(watch) = self.uncovered.0.get_mut(&worker) {
                watch.looks(now);
                let library = watch.library.clone();
                self.scout.ask_unmanaged(
                    worker,
                    Suspects { pids, rules: self.config.settings.listeners.rules(), library },
                );
            }
        }
    }

    /// It listens in the cluster: that is how it is to be.
    fn is_covered(&mut self, worker: WorkerId) {
        let said = self.uncovered.0.remove(&worker).is_some_and(|watch| watch.says_ready);
        if said {
            self.input(Input::Ready { worker });
        }
    }

    /// Takes in what was found.
    pub(super) fn on_uncovered(&mut self) {
        while let Some((worker, look)) = self.scout.next_unmanaged() {
            if self.has_lane(worker) {
                self.is_covered(worker);
                continue;
            }
            let Some(watch) = self.uncovered.0.get_mut(&worker) else { continue };
            match (watch.found(self.now, &look), look) {
                (Verdict::Ready, _) => self.input(Input::Ready { worker }),
                (Verdict::Tell, Look::Unmanaged(found)) => self.tell_uncovered(worker, &found),
                _ => {}
            }
        }
    }

    fn tell_uncovered(&mut self, worker: WorkerId, found: &UnmanagedListener) {
        let why = format!(
            "process {} listens on {} outside the cluster: it does not have the preloaded library; was its environment \
             cleared? Keep LD_PRELOAD and the CLUSTERMON_ variables in it, or declare the address --private",
            found.pid,
            found.addresses.join(", ")
        );
        log::error!("worker {}: {why}", self.logical_id(worker));
        let cause = Cause::new(CauseKind::Stuck, why);
        if let Some(watch) = self.uncovered.0.get_mut(&worker) {
            watch.cause = Some(cause.clone());
        }
        self.causes.expect(worker, cause);
        self.is_news = true;
    }
}

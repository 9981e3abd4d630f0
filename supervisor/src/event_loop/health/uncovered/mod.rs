//! Workers in whose place a process without the preloaded library listens: it is told once for each worker, in the log and in
//! `status`, and such a worker is not ready by its own word. Only workers without a lane are looked at.

mod watch;

use super::super::Shell;
use super::super::os::Os;
use crate::api::{Cause, CauseKind};
use crate::ids::WorkerId;
use crate::io::sockets::unmanaged_listener::{ListenerLook, Suspects, UnmanagedListener};
use crate::pool::Input;
use watch::Verdict;
pub(in crate::event_loop) use watch::Watch;

impl<O: Os> Shell<O> {
    /// The worker says that it is ready. One that has no lane is looked at first: whoever listens without the library is
    /// not where connections come.
    pub(in crate::event_loop) fn says_ready(&mut self, worker: WorkerId) {
        let is_sure = self.runs(worker) || self.has_lane(worker);
        let now = self.now;
        match self.uncovered(worker) {
            // Who says so again and again is looked at no oftener for it.
            Some(watch) if !is_sure && watch.says_ready => {}
            Some(watch) if !is_sure => {
                watch.on_ready(now);
                self.look_for_uncovered();
            }
            _ => self.input(Input::Ready { worker }),
        }
    }

    fn uncovered(&mut self, worker: WorkerId) -> Option<&mut Watch> {
        self.lives.get_mut(worker)?.uncovered.as_mut()
    }

    fn has_lane(&self, worker: WorkerId) -> bool {
        self.lanes.all.values().any(|lane| lane.worker == worker)
            || self.steering.of(worker).next().is_some()
            || self.datagrams.of(worker).next().is_some()
    }

    /// Asks of each worker for which it is time.
    pub(in crate::event_loop) fn look_for_uncovered(&mut self) {
        let now = self.now;
        for worker in self.lives.due(now, |life| life.uncovered.as_ref().map(|watch| watch.next)) {
            if self.has_lane(worker) {
                self.is_covered(worker);
                continue;
            }
            let pids = self.pids(worker);
            if let Some(watch) = self.uncovered(worker) {
                watch.looks(now);
                let library = watch.library.clone();
                self.lanes.owner_probe.ask_unmanaged(
                    worker,
                    Suspects { pids, rules: self.config.settings.listeners.rules(), library },
                );
            }
        }
    }

    /// It listens in the cluster: that is how it is to be.
    fn is_covered(&mut self, worker: WorkerId) {
        let watch = self.lives.get_mut(worker).and_then(|life| life.uncovered.take());
        let said = watch.is_some_and(|watch| watch.says_ready);
        if said {
            self.input(Input::Ready { worker });
        }
    }

    /// Takes in what was found.
    pub(in crate::event_loop) fn on_uncovered(&mut self) {
        while let Some((worker, look)) = self.lanes.owner_probe.next_unmanaged() {
            if self.has_lane(worker) {
                self.is_covered(worker);
                continue;
            }
            let now = self.now;
            let Some(watch) = self.uncovered(worker) else { continue };
            match (watch.found(now, &look), look) {
                (Verdict::Ready, _) => self.input(Input::Ready { worker }),
                (Verdict::Tell, ListenerLook::Unmanaged(found)) => self.tell_uncovered(worker, &found),
                _ => {}
            }
        }
    }

    fn tell_uncovered(&mut self, worker: WorkerId, found: &UnmanagedListener) {
        let why = format!(
            "process {} listens on {} outside the cluster: it does not have the preloaded library; was its environment \
             cleared? Keep LD_PRELOAD and the CLUSTERMON_ variables in it, run the cluster with --intercept seccomp, or declare the address --private",
            found.pid,
            found.addresses.join(", ")
        );
        log::error!("worker {}: {why}", self.logical_id(worker));
        let cause = Cause::new(CauseKind::Stuck, why);
        if let Some(watch) = self.uncovered(worker) {
            watch.cause = Some(cause.clone());
        }
        self.may_end_for(worker, cause);
        self.reports.is_news = true;
    }
}

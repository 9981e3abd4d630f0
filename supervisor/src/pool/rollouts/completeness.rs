//! Whether the process that is to take a slot listens wherever the one before it does, or on all that it is going to. It waits for
//! nobody: it tells when.

use crate::ids::{BalancerId, WorkerId};
use crate::pool::vitals::boot::Wanted;
use crate::pool::workers::process::Process;
use crate::pool::workers::rollout::Step;
use crate::pool::{Deadline, Lane, Note, Pool};
use std::time::{Duration, Instant};

impl Pool {
    /// A process of the worker listens on the address.
    pub(in crate::pool) fn note_opened(&mut self, now: Instant, id: WorkerId, balancer: BalancerId) {
        let Self { processes, balancers, .. } = self;
        if let Some(worker) = processes.active_mut(id) {
            worker.boot.listens(now, balancer, |id| balancers.contains_key(&id));
        }
    }

    /// The addresses on which the process listens now.
    pub(super) fn opened_by(&self, id: WorkerId) -> Vec<Wanted> {
        let mut served: Vec<_> = self.served_by(id).collect();
        served.sort_unstable();
        served.dedup();
        let boot = self.processes.active(id).map(|worker| &worker.boot);
        let delay = |balancer| boot.map_or(Duration::ZERO, |boot| boot.delay(balancer));
        served.into_iter().map(|balancer| Wanted { balancer, delay: delay(balancer) }).collect()
    }

    /// The new process is ready, and listens wherever the old one does or on all that it is going to.
    pub(super) fn is_complete(&mut self, now: Instant, place: usize) -> bool {
        let Some(step) = self.rollout.as_ref().and_then(|rollout| rollout.steps.get(place)) else {
            return false;
        };
        // The old one may have opened or closed something since; one that is gone wants what it last had.
        let old = self.processes.current(step.slot).filter(|old| old.id() != step.process);
        if let Some(old) = old.filter(|old| old.is_running()).map(Process::id) {
            let wanted = self.opened_by(old);
            if let Some(step) = self.rollout.as_mut().and_then(|rollout| rollout.steps.get_mut(place)) {
                step.wanted = wanted;
            }
        }
        let Some(step) = self.rollout.as_ref().and_then(|rollout| rollout.steps.get(place)) else {
            return false;
        };
        let runs = self.processes.active(step.process).is_some_and(Process::is_running);
        let all = self.missing(step).next().is_none();
        runs && (all || self.complete_at(step).is_some_and(|at| at <= now))
    }

    /// When the new process of the step, if it is ready, counts as listening on all it is going to.
    pub(super) fn complete_at(&self, step: &Step) -> Option<Deadline> {
        let worker = self.processes.active(step.process).filter(|worker| worker.is_running())?;
        worker.boot.complete_at(worker.since()?, self.missing(step), &self.settings)
    }

    /// Where the old process listens, or did last, and the new one does not.
    fn missing<'a>(&'a self, step: &'a Step) -> impl Iterator<Item = &'a Wanted> {
        let served = move |id| {
            self.lanes.values().any(|lane: &Lane| lane.worker() == step.process && lane.balancer() == id)
        };
        let open = |id: &BalancerId| self.balancers.contains_key(id);
        step.wanted.iter().filter(move |wanted| open(&wanted.balancer) && !served(wanted.balancer))
    }

    /// The addresses that processes which are ready have yet to open, each with the worker.
    pub(crate) fn awaited(&self) -> Vec<(WorkerId, BalancerId)> {
        let steps = self.rollout.iter().flat_map(|rollout| &rollout.steps);
        let ready = steps.filter(|step| self.complete_at(step).is_some() && step.is_coming());
        ready.flat_map(|step| self.missing(step).map(|wanted| (step.process, wanted.balancer))).collect()
    }

    /// The step's new process takes the slot: what it does not listen on is said.
    pub(super) fn note_dropped(&mut self, place: usize) {
        let Some(step) = self.rollout.as_ref().and_then(|rollout| rollout.steps.get(place)) else { return };
        let balancers: Vec<_> = self.missing(step).map(|wanted| wanted.balancer).collect();
        let worker = step.process;
        if balancers.is_empty() {
            return;
        }
        if let Some(rollout) = &mut self.rollout {
            rollout.dropped.extend(&balancers);
        }
        self.note(Note::Dropped { worker, balancers });
    }
}

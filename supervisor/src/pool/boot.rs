//! When a process began to listen on each of its addresses, and by that whether its successor is complete. A program may
//! open an address seconds after its first: until its successor has had as long, the old process serves it.

use super::deadlines::after;
use super::pool::Pool;
use super::process::Process;
use super::rollout::Step;
use super::{Deadline, Lane, Note, Settings};
use crate::ids::{BalancerId, WorkerId};
use std::time::{Duration, Instant};

/// A successor has so many times the time that the old process took from its first address to the one that is missing:
/// two processes boot side by side, perhaps on a machine that has other work.
const SLOWER: u32 = 2;
/// Nobody waits longer than `start_timeout` for an address, or than this where that is no limit.
const LONGEST: Duration = Duration::from_secs(60);

/// What one process has opened so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Boot {
    ready: Option<Instant>,
    /// When it first listened on each address that is still open.
    opened: Vec<(BalancerId, Instant)>,
}

/// An address that a process serves, and how long after its first it did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    balancer: BalancerId,
    delay: Duration,
}

impl Boot {
    pub(super) fn became_ready(&mut self, now: Instant) {
        self.ready.get_or_insert(now);
    }

    /// It listens there; `is_open` tells which addresses still count.
    fn listens(&mut self, now: Instant, balancer: BalancerId, is_open: impl Fn(BalancerId) -> bool) {
        self.opened.retain(|(id, _)| is_open(*id));
        if !self.opened.iter().any(|(id, _)| *id == balancer) {
            self.opened.push((balancer, now));
        }
    }

    /// When it began to listen, if it has.
    pub(super) fn first_listen(&self) -> Option<Instant> {
        self.opened.iter().map(|(_, at)| *at).min()
    }

    /// When it last began to listen on another address.
    pub(super) fn last_listen(&self) -> Option<Instant> {
        self.opened.iter().map(|(_, at)| *at).max()
    }

    /// It has listened somewhere.
    pub(super) fn has_listened(&self) -> bool {
        !self.opened.is_empty()
    }

    fn first(&self) -> Option<Instant> {
        self.first_listen().or(self.ready)
    }

    fn delay(&self, balancer: BalancerId) -> Duration {
        let at = self.opened.iter().find(|(id, _)| *id == balancer).map(|(_, at)| *at);
        at.zip(self.first()).map_or(Duration::ZERO, |(at, first)| at.saturating_duration_since(first))
    }

    /// When a process that was spawned at `since` and lacks these addresses counts as listening on all it is going to.
    fn complete_at<'a>(
        &self,
        since: Instant,
        missing: impl Iterator<Item = &'a Wanted>,
        settings: &Settings,
    ) -> Option<Deadline> {
        let settle = settings.listen_settle;
        let last = self.last_listen().max(self.ready)?;
        let first = self.first()?;
        let due =
            missing.map(|wanted| after(first, wanted.delay.saturating_mul(SLOWER).saturating_add(settle)));
        let limit = if settings.start_timeout.is_zero() { LONGEST } else { settings.start_timeout };
        let due = due.max().map(|due| due.min(after(since, limit)));
        Some(after(last, settle).max(due?))
    }
}

impl Pool {
    /// A process of the worker listens on the address.
    pub(super) fn note_opened(&mut self, now: Instant, id: WorkerId, balancer: BalancerId) {
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
    pub fn awaited(&self) -> Vec<(WorkerId, BalancerId)> {
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

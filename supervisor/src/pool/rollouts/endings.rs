//! How a rollout ends: done, by the failure of a new process, by a newer reload, by somebody's word, or with the cluster.
//! What is under way is given up: successors go, and what comes next in their slots is what was known to work.

use crate::ids::{BalancerId, WorkerId};
use crate::pool::workers::event::Event;
use crate::pool::workers::process::Process;
use crate::pool::workers::rollout::{NextReload, Rollout, Stage, Step};
use crate::pool::{Failed, Note, Output, Pool, Purpose, Reloaded};
use std::time::Instant;

impl Pool {
    /// The version that was announced cannot be run.
    pub(in crate::pool) fn unfit(&mut self, now: Instant, ticket: u64, error: String) {
        let ours = |rollout: &Rollout| rollout.purpose == Purpose::Reload { ticket };
        if self.rollout.as_ref().is_some_and(ours) {
            self.fail_by(now, Failed::Unfit { error });
        }
    }

    /// A process of the rollout came to nothing before it had proved itself; what others have proved stays.
    pub(in crate::pool) fn fail(&mut self, now: Instant, id: WorkerId, failed: Failed) {
        if self.rollout.as_ref().is_some_and(|rollout| rollout.concerns(id)) {
            self.fail_by(now, failed);
        }
    }

    fn fail_by(&mut self, now: Instant, failed: Failed) {
        let Some(rollout) = &mut self.rollout else { return };
        rollout.todo.clear();
        rollout.failed.get_or_insert(failed);
        let (kept, given_up): (Vec<_>, Vec<_>) =
            std::mem::take(&mut rollout.steps).into_iter().partition(Step::is_draining);
        rollout.steps = kept;
        self.give_up(now, given_up);
    }

    fn give_up(&mut self, now: Instant, steps: Vec<Step>) {
        for step in steps {
            if step.is_draining() {
                continue;
            }
            let own = self.processes.current_mut(step.slot);
            let has_slot = own.is_some_and(|worker| {
                // What comes next in this slot is what was known to work.
                worker.version = step.before;
                worker.id() == step.process && worker.is_live()
            });
            if has_slot && step.stage == Stage::Coming {
                // The slot's old process is gone already: that of the old version is not to wait until this one gives up.
                self.act_on(now, step.process, Event::Restart);
            }
            self.dismiss(now, step.process);
        }
    }

    /// A newer reload takes the place of whatever is under way.
    pub(super) fn supersede(&mut self, now: Instant) {
        let waiting = self.next_reload.take().map(|next| (next.ticket, Reloaded::Superseded));
        let ended = self.cut_short(now).and_then(|rollout| {
            let replaced = rollout.done.len() as u32;
            match (rollout.purpose, rollout.failed) {
                (Purpose::Reload { ticket }, None) => Some((ticket, Reloaded::Superseded)),
                (Purpose::Reload { ticket }, Some(failed)) => {
                    Some((ticket, Reloaded::Failed { failed, replaced, rolled_back: false }))
                }
                (Purpose::Rollback { ticket, failed }, _) => {
                    let replaced = rollout.total - replaced;
                    Some((ticket, Reloaded::Failed { failed, replaced, rolled_back: false }))
                }
                // Its slot gets a new process by the reload.
                (Purpose::Replace { .. }, _) => None,
            }
        });
        for (ticket, reloaded) in waiting.into_iter().chain(ended) {
            self.reloaded(ticket, reloaded);
        }
    }

    /// Somebody ends the reload that is under way, or the return to what was before it.
    pub(in crate::pool) fn abort_reload(&mut self, now: Instant) {
        if let Some(NextReload { ticket, .. }) = self.next_reload.take() {
            let failed = Failed::Aborted;
            return self.reloaded(ticket, Reloaded::Failed { failed, replaced: 0, rolled_back: false });
        }
        let is_reload = |rollout: &Rollout| !matches!(rollout.purpose, Purpose::Replace { .. });
        if !self.rollout.as_ref().is_some_and(is_reload) {
            return;
        }
        let Some(rollout) = self.cut_short(now) else { return };
        let Rollout { purpose, total, done, failed, in_place, .. } = rollout;
        match purpose {
            Purpose::Reload { ticket } => {
                self.fell_through(ticket, failed.unwrap_or(Failed::Aborted), done, in_place);
            }
            Purpose::Rollback { ticket, failed } => {
                let replaced = total - done.len() as u32;
                self.reloaded(ticket, Reloaded::Failed { failed, replaced, rolled_back: false });
            }
            Purpose::Replace { .. } => {}
        }
    }

    /// Nothing is rolled out from now on; what was under way is given up.
    fn cut_short(&mut self, now: Instant) -> Option<Rollout> {
        let mut rollout = self.rollout.take()?;
        self.give_up(now, std::mem::take(&mut rollout.steps));
        Some(rollout)
    }

    /// A reload has come to nothing: what it had replaced goes back, if it is to.
    fn fell_through(&mut self, ticket: u64, failed: Failed, done: Vec<(u32, u32)>, in_place: bool) {
        let replaced = done.len() as u32;
        if self.settings.rollout.takes_all_back() && replaced > 0 {
            self.note(Note::RollingBack { failed: failed.clone(), workers: replaced });
            self.start_rollout(Purpose::Rollback { ticket, failed }, self.version, done.into(), in_place);
        } else {
            self.reloaded(ticket, Reloaded::Failed { failed, replaced, rolled_back: false });
        }
    }

    /// The slot is not to have another process after all.
    pub(in crate::pool) fn drop_step(&mut self, now: Instant, slot: u32) {
        let Some(rollout) = &mut self.rollout else { return };
        rollout.todo.retain(|(other, _)| *other != slot);
        let Some(place) = rollout.steps.iter().position(|step| step.slot == slot) else { return };
        let step = rollout.steps.remove(place);
        self.dismiss(now, step.process);
    }

    /// The cluster stops: whatever was to be replaced is not.
    pub(in crate::pool) fn abandon(&mut self, now: Instant) {
        self.end_rollouts();
        for id in self.processes.successors().map(Process::id).collect::<Vec<_>>() {
            self.dismiss(now, id);
        }
    }

    /// Nothing is rolled out any more, and who waits for it is told so.
    pub(in crate::pool) fn end_rollouts(&mut self) {
        if let Some(NextReload { ticket, .. }) = self.next_reload.take() {
            self.reloaded(ticket, Reloaded::Stopped);
        }
        let Some(rollout) = self.rollout.take() else { return };
        if let Purpose::Reload { ticket } | Purpose::Rollback { ticket, .. } = rollout.purpose {
            self.reloaded(ticket, Reloaded::Stopped);
        }
    }

    /// Nothing is left to do: tells how it ended. False if something is.
    pub(super) fn end(&mut self, now: Instant) -> bool {
        let Some(rollout) =
            self.rollout.take_if(|rollout| rollout.steps.is_empty() && rollout.todo.is_empty())
        else {
            return false;
        };
        let Rollout { purpose, version, total, done, dropped, failed, in_place, .. } = rollout;
        let replaced = done.len() as u32;
        match (purpose, failed) {
            (Purpose::Reload { ticket }, None) => {
                self.version = version;
                // Those that are down are brought to it when somebody starts them.
                self.processes
                    .currents_mut()
                    .filter(|process| !process.is_live())
                    .for_each(|process| process.version = version);
                let dropped = self.served_by_nobody(dropped);
                self.reloaded(ticket, Reloaded::Done { workers: replaced, dropped });
            }
            (Purpose::Reload { ticket }, Some(failed)) => self.fell_through(ticket, failed, done, in_place),
            (Purpose::Rollback { ticket, failed }, None) => {
                self.reloaded(ticket, Reloaded::Failed { failed, replaced, rolled_back: true });
            }
            (Purpose::Rollback { ticket, failed }, Some(_)) => {
                let replaced = total - replaced;
                self.reloaded(ticket, Reloaded::Failed { failed, replaced, rolled_back: false });
            }
            (Purpose::Replace { .. }, None) => {}
            (Purpose::Replace { slot, reason }, Some(failed)) => {
                self.retry_later(now, slot);
                self.note(Note::NotReplaced { reason, failed });
            }
        }
        true
    }

    fn served_by_nobody(&self, mut balancers: Vec<BalancerId>) -> Vec<BalancerId> {
        balancers.sort_unstable();
        balancers.dedup();
        balancers.retain(|id| !self.lanes.values().any(|lane| lane.balancer() == *id));
        balancers
    }

    pub(super) fn reloaded(&mut self, ticket: u64, reloaded: Reloaded) {
        self.note(Note::Reloaded { reloaded: reloaded.clone() });
        self.outbox.push_back(Output::Reloaded { ticket, reloaded });
    }
}

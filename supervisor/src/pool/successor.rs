//! Processes that start beside the one whose slot they are to take. Until they have it they are nobody's restart: one that
//! ends is not started again.

use super::leaving::Leaving;
use super::pool::Pool;
use super::rollout::Failed;
use super::state::{Effect, Event, State};
use super::worker::Worker;
use super::{Exit, Note, Then};
use crate::ids::{BalancerId, WorkerId};
use std::time::{Duration, Instant};

impl Pool {
    /// Another process of this version is to start beside the slot's own; `launch` orders it.
    pub(super) fn add_successor(&mut self, now: Instant, slot: u32, version: u32) -> Option<WorkerId> {
        let Self { workers, settings, .. } = self;
        let mut successor = workers.get_mut(slot as usize)?.successor(version, settings);
        let id = successor.id();
        successor.apply(now, Event::Due(now), settings);
        successor.tell();
        workers.successors.push(successor);
        Some(id)
    }

    /// The successor takes its slot; the process that had it, if one still lives, leaves: out of rotation, drained, stopped.
    pub(super) fn promote(&mut self, now: Instant, id: WorkerId) {
        let Some(mut new) = self.workers.take_successor(id) else { return };
        let Some(place) = self.workers.get_mut(id.slot as usize) else { return };
        new.inherit(place);
        let mut old = std::mem::replace(place, new);
        if matches!(old.state(), State::Starting { .. } | State::Running { .. }) {
            let effect = old.apply(now, Event::Stop, &self.settings);
            self.leave(&old, effect);
        } else if matches!(old.state(), State::Stopping(_)) {
            self.leave(&old, Effect::Nothing);
        }
        self.regate(now, id);
        self.tell_suspicion(id);
        self.pump_all(now);
        self.launch(now);
    }

    fn leave(&mut self, old: &Worker, effect: Effect) {
        let State::Stopping(stop) = old.state() else { return };
        self.leaving.push(Leaving::after(old.id(), stop, Then::Replaced));
        // Told only when nobody can come to it any more.
        self.regate(stop.asked, old.id());
        let change = super::Change::Worker { worker: old.id(), state: old.state() };
        self.outbox.push_back(super::Output::Changed(change));
        if old.health.told {
            let change = super::Change::Suspect { worker: old.id(), suspect: false };
            self.outbox.push_back(super::Output::Changed(change));
        }
        self.follow(old.id(), effect);
    }

    /// The successor is not wanted any more: one that serves drains, another is killed.
    pub(super) fn dismiss(&mut self, now: Instant, id: WorkerId) {
        let Some(successor) = self.workers.successors.iter_mut().find(|worker| worker.id() == id) else {
            return;
        };
        successor.removed = true;
        let event = if successor.is_running() { Event::Stop } else { Event::ForceStop };
        self.act_on(now, id, event);
        self.forget_successors();
        self.pump_all(now);
        self.launch(now);
    }

    /// A successor's process has ended, or did not come to be. False if it is none.
    pub(super) fn successor_exited(&mut self, now: Instant, id: WorkerId, exit: Exit) -> bool {
        let Some(successor) = self.workers.successors.iter_mut().find(|worker| worker.id() == id) else {
            return false;
        };
        let (uptime, wanted) = match successor.apply(now, Event::Exited, &self.settings) {
            Effect::Died(uptime) => (uptime, true),
            Effect::Stopped(uptime) | Effect::Replaced(uptime) => (uptime, false),
            effect => {
                debug_assert_eq!(effect, Effect::Nothing);
                return true;
            }
        };
        let then = if wanted { Then::Failed } else { Then::Stopped };
        self.note(Note::Exited { worker: id, exit, uptime, retry_in: None, then });
        if wanted {
            self.fail(now, id, Failed::Exited { worker: id, exit });
        }
        self.bury_successor(now, id);
        true
    }

    /// No process came of the order for a successor. False if it was for none.
    pub(super) fn successor_not_spawned(&mut self, now: Instant, id: WorkerId, error: &str) -> bool {
        let Some(successor) = self.workers.successors.iter_mut().find(|worker| worker.id() == id) else {
            return false;
        };
        let effect = successor.apply(now, Event::SpawnFailed, &self.settings);
        if effect == Effect::NotSpawned {
            let error = error.to_owned();
            self.note(Note::SpawnFailed { worker: id, error: error.clone(), retry_in: None });
            self.fail(now, id, Failed::SpawnFailed { worker: id, error });
        }
        if effect != Effect::Nothing {
            self.bury_successor(now, id);
        }
        true
    }

    /// Nothing of it is left.
    pub(super) fn bury_successor(&mut self, now: Instant, id: WorkerId) {
        if let Some(successor) = self.workers.successors.iter_mut().find(|worker| worker.id() == id) {
            successor.removed = true;
            self.tell_state(id);
        }
        self.retire_lanes_of(id);
        self.forget_successors();
        self.pump_all(now);
        self.launch(now);
        self.close_unserved();
    }

    fn forget_successors(&mut self) {
        self.workers.successors.retain(|worker| worker.is_live() || !worker.removed);
        self.remove_gone();
    }

    /// What follows a process that is taken down: another after this time, if its slot may have one and it was the slot's.
    pub(super) fn follow_up(
        &mut self,
        now: Instant,
        id: WorkerId,
        successor: bool,
        uptime: Duration,
    ) -> (Option<Duration>, Then) {
        if successor {
            return (None, Then::Failed);
        }
        match self.retry(now, id, uptime) {
            Some(wait) => (Some(wait), Then::Replaced),
            None => (None, Then::BudgetSpent),
        }
    }

    /// Nothing of it counts any more, whichever it was.
    pub(super) fn bury_either(&mut self, now: Instant, id: WorkerId, successor: bool) {
        if successor {
            self.bury_successor(now, id);
        } else {
            self.bury(now, id, None);
        }
    }

    pub(super) fn is_successor(&self, id: WorkerId) -> bool {
        self.workers.successors.iter().any(|worker| worker.id() == id)
    }

    /// The addresses on which the process listens.
    pub(super) fn served_by(&self, id: WorkerId) -> impl Iterator<Item = BalancerId> {
        self.lanes.values().filter(move |lane| lane.worker() == id).map(super::Lane::balancer)
    }
}

//! Processes that start beside the one whose slot they are to take. Until they have it they are nobody's restart: one that
//! ends is not started again.

use super::follow::Cause;
use crate::ids::{BalancerId, WorkerId};
use crate::pool::workers::event::{Effect, Event};
use crate::pool::workers::process::{Process, Role};
use crate::pool::{Change, Lane, Output, Pool, State, Then};
use std::time::Instant;

impl Pool {
    /// Another process of this version is to start beside the slot's own; `launch` orders it.
    pub(in crate::pool) fn add_successor(
        &mut self,
        now: Instant,
        slot: u32,
        version: u32,
    ) -> Option<WorkerId> {
        let id = self.slots.get_mut(slot as usize)?.name_next();
        let mut successor = Process::new(id, Role::Successor { wanted: true }, version);
        successor.apply(now, Event::Due(now), &self.settings);
        successor.tell();
        self.processes.add(successor);
        Some(id)
    }

    /// The successor takes its slot; the process that had it, if it still lives, retires: out of rotation, drained, stopped.
    pub(in crate::pool) fn promote(&mut self, now: Instant, id: WorkerId) {
        let Some(place) = self.processes.find_active(id) else { return };
        let Some(mut old) = self.processes.promote(place) else { return };
        let Self { slots, processes, .. } = self;
        if let (Some(slot), Some(new)) = (slots.get_mut(id.slot as usize), processes.active_mut(id)) {
            slot.keep(old.load.take_dispatched(), old.recycle.footprint);
            new.recycle.succeed(slot.footprint());
            if new.pid().is_some() {
                slot.count_started();
            }
        }
        if old.is_live() {
            self.retire(now, old);
        }
        self.update_eligibility(now, id);
        self.tell_suspicion(id);
        self.pump_all(now);
        self.launch(now);
    }

    fn retire(&mut self, now: Instant, mut old: Process) {
        let effect = match old.state() {
            State::Starting { .. } | State::Running { .. } => old.apply(now, Event::Stop, &self.settings),
            State::Standby { .. } | State::Stopping(_) => Effect::Nothing,
        };
        old.role = Role::Retiring { then: Then::Replaced, keeps_lanes: true };
        old.load.forget();
        let (worker, role, state) = (old.id(), old.role, old.state());
        let was_suspect = std::mem::take(&mut old.health.told);
        self.processes.add(old);
        // Told only when nobody can come to it any more.
        self.update_eligibility(now, worker);
        self.outbox.push_back(Output::Changed(Change::Worker { worker, state }));
        if was_suspect {
            self.outbox.push_back(Output::Changed(Change::Suspect { worker, suspect: false }));
        }
        self.follow(now, worker, role, effect, Cause::Known);
    }

    /// The successor is not wanted any more: one that serves drains, another is killed.
    pub(in crate::pool) fn dismiss(&mut self, now: Instant, id: WorkerId) {
        let place = self.processes.find_active(id);
        let successor = place.and_then(|place| self.processes.at_mut(place));
        let Some(successor) = successor.filter(|process| process.is_successor()) else { return };
        successor.role = Role::Successor { wanted: false };
        let event = if successor.is_running() { Event::Stop } else { Event::ForceStop };
        self.act_at(now, place, event, Cause::Known);
        self.processes.remove_dismissed();
        self.remove_gone();
        self.pump_all(now);
        self.launch(now);
    }

    /// The addresses on which the process listens.
    pub(in crate::pool) fn served_by(&self, id: WorkerId) -> impl Iterator<Item = BalancerId> {
        self.lanes.values().filter(move |lane| lane.worker() == id).map(Lane::balancer)
    }
}

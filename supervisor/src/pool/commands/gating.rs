//! The part of the pool that holds up a start or a reload until a command of the user's has allowed it. Whatever ends what is held up ends the
//! waiting too: a stop, a newer reload, an abort.

use crate::pool::vocabulary::gate::Gate;
use crate::pool::{Output, Phase, Pool, Purpose};
use std::time::Instant;

impl Pool {
    /// The cluster begins, or waits for the word that it may.
    pub(in crate::pool) fn start(&mut self, now: Instant) {
        if self.phase != Phase::Idle || self.gate.is_some() {
            return;
        }
        match self.settings.gates.start {
            true => self.hold_up(Gate::Start),
            false => self.begin_to_serve(now),
        }
    }

    /// Nothing begins until somebody answers.
    pub(in crate::pool) fn hold_up(&mut self, gate: Gate) {
        if self.gate.replace(gate) == Some(gate) {
            return;
        }
        self.outbox.push_back(Output::AskGate { gate });
    }

    /// It may begin.
    pub(in crate::pool) fn allowed(&mut self, now: Instant, gate: Gate) {
        if self.gate.take_if(|held| *held == gate).is_none() {
            return;
        }
        match gate {
            Gate::Start => self.begin_to_serve(now),
            Gate::Reload { ticket, .. } => self.may_go_on(ticket),
        }
    }

    /// It may not: nothing is started, or the old processes go on.
    pub(in crate::pool) fn denied(&mut self, now: Instant, gate: Gate, error: String) {
        if self.gate.take_if(|held| *held == gate).is_none() {
            return;
        }
        match gate {
            Gate::Start => self.phase = Phase::Stopping,
            Gate::Reload { ticket, .. } => self.unfit(now, ticket, error),
        }
    }

    /// Nobody asks any more for what has ended meanwhile.
    pub(in crate::pool) fn drop_gate(&mut self) {
        let Some(gate) = self.gate else { return };
        let is_wanted = match gate {
            Gate::Start => self.phase == Phase::Idle,
            Gate::Reload { ticket, .. } => self.rollout.as_ref().is_some_and(|rollout| {
                rollout.purpose == Purpose::Reload { ticket } && !rollout.prepared && rollout.failed.is_none()
            }),
        };
        if !is_wanted {
            self.gate = None;
            self.outbox.push_back(Output::DropGate { gate });
        }
    }

    /// What waits for a word.
    #[cfg(test)]
    pub(crate) fn gate(&self) -> Option<Gate> {
        self.gate
    }
}

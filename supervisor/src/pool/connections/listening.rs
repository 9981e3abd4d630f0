//! The part of the pool that knows balancers: how they open, fail, refuse and close. It opens no socket: it orders it.

use crate::ids::BalancerId;
use crate::pool::vocabulary::deadlines::after;
use crate::pool::vocabulary::socket::Intake;
use crate::pool::workers::process::Process;
use crate::pool::{Balancer, BalancerState, Change, Note, Output, Phase, Pool, Route};
use std::time::Instant;

impl Pool {
    pub(in crate::pool) fn balancer_opened(&mut self, id: BalancerId, route: Route) {
        if let Some(known) = self.balancers.get(&id) {
            // Its socket has been closed, so this is another.
            if known.intake == Intake::Gone {
                self.outbox.push_back(Output::CloseBalancer { balancer: id });
            }
            return;
        }
        match self.phase {
            Phase::Idle | Phase::Serving => {
                let balancer = Balancer::new(id, route);
                let state = balancer.state;
                self.balancers.insert(id, balancer);
                self.outbox.push_back(Output::Changed(Change::Balancer { balancer: id, state }));
            }
            Phase::Stopping | Phase::Done(_) => {
                self.outbox.push_back(Output::CloseBalancer { balancer: id });
            }
        }
    }

    pub(in crate::pool) fn balancer_failed(&mut self, now: Instant, id: BalancerId, error: String) {
        let retry_in = self.settings.listeners.server_restart_delay;
        match self.balancers.get(&id).map(Balancer::state) {
            Some(state @ (BalancerState::Starting | BalancerState::Running)) => {
                self.note(Note::BalancerFailed { balancer: id, error, retry_in });
                if state == BalancerState::Running {
                    self.withdraw(now, id);
                }
                self.set_balancer(id, BalancerState::Standby { due: after(now, retry_in) });
            }
            Some(BalancerState::Standby { .. } | BalancerState::Stopping) | None => {}
        }
    }

    pub(in crate::pool) fn balancer_reopened(&mut self, now: Instant, id: BalancerId, anew: bool) {
        match self.balancers.get(&id).map(Balancer::state) {
            Some(BalancerState::Standby { .. } | BalancerState::Starting) => {
                self.note(Note::BalancerReopened { balancer: id });
                self.set_balancer(id, BalancerState::Running);
                if anew {
                    self.admit(now, id);
                } else {
                    self.admit_all(now, id);
                }
                self.pump(now, id);
                self.look_again(id);
            }
            Some(BalancerState::Running | BalancerState::Stopping) => {}
            None => self.outbox.push_back(Output::CloseBalancer { balancer: id }),
        }
    }

    /// Sockets that are due are opened again.
    pub(in crate::pool) fn balancer_timers(&mut self, now: Instant) {
        let due =
            |balancer: &&Balancer| matches!(balancer.state, BalancerState::Standby { due } if due <= now);
        while let Some(id) = self.balancers.values().find(due).map(Balancer::id) {
            self.set_balancer(id, BalancerState::Starting);
            self.outbox.push_back(Output::Reopen { balancer: id });
        }
    }

    /// Nothing more is accepted.
    pub(in crate::pool) fn balancers_stop(&mut self) {
        while let Some(id) = self
            .balancers
            .values()
            .find(|balancer| balancer.state != BalancerState::Stopping)
            .map(Balancer::id)
        {
            self.set_balancer(id, BalancerState::Stopping);
        }
    }

    fn set_balancer(&mut self, id: BalancerId, state: BalancerState) {
        let Some(balancer) = self.balancers.get_mut(&id) else { return };
        balancer.state = state;
        balancer.tell_room(&mut self.outbox);
        self.outbox.push_back(Output::Changed(Change::Balancer { balancer: id, state }));
    }

    /// Looks which balancers have no worker at all, and for how long: they refuse connections, or do so no longer.
    pub(in crate::pool) fn review(&mut self, now: Instant) {
        let serving = self.phase == Phase::Serving;
        let mut told = Vec::new();
        for (&id, balancer) in &mut self.balancers {
            let served = self.lanes.values().any(|lane| lane.balancer() == id && lane.is_usable());
            let was_refusing = balancer.refusing;
            if served || !serving || !balancer.served {
                balancer.no_worker_since = None;
                balancer.refusing = false;
                if was_refusing && serving {
                    told.push(Note::Accepting { balancer: id });
                    self.outbox.push_back(Output::LookAtQueue { balancer: id });
                }
            } else {
                let since = *balancer.no_worker_since.get_or_insert(now);
                let patience = self.settings.balancing.when_no_worker.patience();
                balancer.refusing = patience.is_some_and(|patience| after(since, patience) <= now);
                if balancer.refusing && !was_refusing {
                    let after = now.saturating_duration_since(since);
                    told.push(Note::Refusing { balancer: id, after });
                    self.outbox.extend(balancer.drain_held().map(|conn| Output::Refuse { conn }));
                } else if was_refusing && !balancer.refusing {
                    // Somebody has said meanwhile that they may wait for longer.
                    told.push(Note::Accepting { balancer: id });
                    self.outbox.push_back(Output::LookAtQueue { balancer: id });
                }
            }
            balancer.has_changed |= balancer.refusing != was_refusing;
            balancer.tell_room(&mut self.outbox);
        }
        told.into_iter().for_each(|note| self.note(note));
    }

    /// Closes the balancers that nobody serves, once every worker has had its time to listen on them. That a worker
    /// is running is not enough: it may listen on one address a moment before another.
    pub(in crate::pool) fn close_unserved(&mut self) {
        if self.is_anyone_coming() || self.processes.active_ones().any(Process::is_settling) {
            return;
        }
        while let Some(id) = self.balancers.keys().copied().find(|id| self.is_unserved(*id)) {
            self.close_balancer(id);
        }
    }

    /// Refuses what is held for the balancer and forgets it.
    pub(in crate::pool) fn close_balancer(&mut self, id: BalancerId) {
        let Some(mut balancer) = self.balancers.remove(&id) else { return };
        let gone = balancer.intake == Intake::Gone;
        self.outbox.extend(balancer.drain_held().map(|conn| Output::Refuse { conn }));
        // The note first: the shell still knows the address.
        self.note(Note::BalancerClosed { balancer: id });
        self.outbox.push_back(Output::Changed(Change::BalancerRemoved { balancer: id }));
        if !gone {
            self.outbox.push_back(Output::CloseBalancer { balancer: id });
        }
    }

    /// A worker is starting, or is going to be, or may be when somebody says so.
    pub(in crate::pool) fn is_anyone_coming(&self) -> bool {
        let may_be_started = |process: &Process| process.is_down() && !self.is_unwanted(process);
        let coming = |process: &Process| process.is_coming() || may_be_started(process);
        self.phase == Phase::Serving && self.processes.active_ones().any(coming)
    }

    /// It has had lanes and has none.
    pub(super) fn is_unserved(&self, id: BalancerId) -> bool {
        self.balancers.get(&id).is_some_and(|balancer| balancer.served)
            && !self.lanes.values().any(|lane| lane.balancer() == id)
    }
}

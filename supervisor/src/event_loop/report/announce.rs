//! What the outside is told as it happens: events for those who follow, the latest picture for other threads, and that
//! the cluster is ready for whoever started it. It changes nothing in the cluster.

use super::super::Shell;
use super::super::os::Os;
use super::log_lines;
use crate::api::{BalancerState, CauseKind, ClusterState, Event, WorkerState};
use crate::ids::{BalancerId, WorkerId};
use crate::io::control::server::Control;
use crate::pool::{self, Change, Note, Outcome, State};
use std::collections::HashMap;

/// What was told last of the state of each process, so that none is told twice: a worker is stopping from the order on, also
/// while it drains and when it is signalled.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Told(HashMap<WorkerId, (WorkerState, Option<u32>, Option<String>)>);

impl Told {
    fn is_new(
        &mut self,
        worker: WorkerId,
        state: WorkerState,
        pid: Option<u32>,
        cause: Option<&str>,
    ) -> bool {
        let cause = cause.filter(|_| state == WorkerState::Standby).map(str::to_owned);
        let told = (state, pid, cause);
        if self.0.get(&worker) == Some(&told) {
            return false;
        }
        if state == WorkerState::Standby {
            // Whoever came before in the slot is gone.
            self.0.retain(|known, _| known.slot != worker.slot || known.incarnation > worker.incarnation);
        }
        self.0.insert(worker, told);
        true
    }

    /// A process of the worker was told of, and that it has ended was not.
    fn is_alive(&self, worker: WorkerId) -> bool {
        self.0.get(&worker).is_some_and(|(state, pid, _)| *state != WorkerState::Standby && pid.is_some())
    }

    fn forget(&mut self, worker: WorkerId) {
        self.0.retain(|known, _| known.slot != worker.slot);
    }
}

impl<O: Os> Shell<O> {
    /// Something changed its state.
    pub(in crate::event_loop) fn announce(&mut self, change: Change) {
        self.reports.is_news = true;
        let event = match change {
            Change::Begun => Event::Cluster { state: ClusterState::Running },
            Change::Worker { worker, state } => {
                let cause = match state {
                    State::Standby { reason, .. } => Some(self.why_down(worker, reason)),
                    State::Stopping(_) => Some(self.why_stopping(worker)),
                    State::Starting { .. } | State::Running { .. } => None,
                };
                let (state, pid) = shown(&state);
                // One that is ordered and not yet there is told of when it is.
                if state == WorkerState::Starting && pid.is_none() {
                    return;
                }
                let (cause, kind) = cause.map(|cause| (cause.text, cause.kind)).unzip();
                let has_lived = self.reports.told.is_alive(worker);
                if !self.reports.told.is_new(worker, state, pid, cause.as_deref()) {
                    return;
                }
                let event = Event::Worker { id: self.logical_id(worker).to_owned(), state, pid, cause, kind };
                // One that is down already may be so for another reason: no process has ended by that.
                if state == WorkerState::Standby && !has_lived {
                    return self.deliver(&event);
                }
                event
            }
            Change::WorkerRemoved { worker } => {
                self.reports.told.forget(worker);
                let id = self.logical_id(worker).to_owned();
                self.outputs.forget(worker, &id);
                // No process has ended by this: that was told before.
                return self.deliver(&Event::Worker {
                    id,
                    state: WorkerState::Standby,
                    pid: None,
                    cause: Some("scaled away".to_owned()),
                    kind: Some(CauseKind::Commanded),
                });
            }
            // Told with its cause, by the note.
            Change::Suspect { .. } => return,
            Change::Cordon { worker, cordoned } => Event::Rotation {
                id: self.logical_id(worker).to_owned(),
                address: "all addresses".to_owned(),
                in_rotation: !cordoned,
                cause: if cordoned { "cordoned" } else { "uncordoned" }.to_owned(),
                kind: cordoned.then_some(CauseKind::Cordoned),
            },
            Change::Balancer { balancer, state } => {
                let (state, cause) = match state {
                    pool::BalancerState::Standby { .. } => {
                        (BalancerState::Standby, Some("its socket failed"))
                    }
                    pool::BalancerState::Starting => (BalancerState::Starting, None),
                    pool::BalancerState::Running => (BalancerState::Running, None),
                    pool::BalancerState::Stopping => (BalancerState::Stopping, None),
                };
                let cause = cause.map(str::to_owned);
                Event::LoadBalancer { address: self.address_of(balancer), state, cause }
            }
            Change::BalancerRemoved { balancer } => Event::LoadBalancer {
                address: self.address_of(balancer),
                state: BalancerState::Standby,
                cause: Some("closed".to_owned()),
            },
        };
        self.publish(&event);
    }

    /// Writes a note to the log and tells it to those who follow.
    pub(in crate::event_loop) fn on_note(&mut self, note: &Note) {
        let (level, text) = log_lines::describe(self, note);
        log::log!(level, "{text}");
        self.learn(note);
        if let Note::Dropped { balancers, .. } = note {
            self.remember_dropped(balancers);
        }
        let rotation = match note {
            Note::Suspect { worker, balancer, .. } => Some((worker, Some(balancer), false)),
            Note::Recovered { worker, balancer } => Some((worker, Some(balancer), true)),
            Note::Lagging { worker, .. } => Some((worker, None, false)),
            Note::CaughtUp { worker, .. } => Some((worker, None, true)),
            Note::SaysStopping { worker } => Some((worker, None, false)),
            _ => None,
        };
        if let Note::Hung { worker, finding, .. } = note
            && *finding != pool::Finding::Stopped
        {
            self.dump(*worker);
        }
        if let Some((&worker, balancer, in_rotation)) = rotation {
            let id = self.logical_id(worker).to_owned();
            let address = balancer.map_or("all addresses".to_owned(), |balancer| self.address_of(*balancer));
            let kind = self.why_out(worker).filter(|_| !in_rotation).map(|cause| cause.kind);
            self.publish(&Event::Rotation { id, address, in_rotation, cause: text.clone(), kind });
        }
        self.publish(&Event::Log { text });
        if let Note::Stopping { .. } = note {
            self.publish(&Event::Cluster { state: ClusterState::Stopping });
        }
    }

    /// True if somebody would get an event.
    pub(in crate::event_loop) fn has_audience(&self) -> bool {
        self.inbox.as_ref().is_some_and(|inbox| inbox.board.has_subscribers())
            || self.control.as_ref().is_some_and(Control::has_followers)
    }

    /// Tells everybody, and has the commands run that are for it.
    pub(in crate::event_loop) fn publish(&mut self, event: &Event) {
        self.run_hooks(event);
        self.deliver(event);
    }

    fn deliver(&mut self, event: &Event) {
        if let Some(inbox) = self.inbox.as_ref().filter(|inbox| inbox.board.has_subscribers()) {
            inbox.board.publish(event);
        }
        if let Some(control) = &mut self.control {
            control.publish(event, Some(self.wall_clock.wall(self.now)));
        }
    }

    /// At the end of a turn in which something changed: the picture for other threads, and whether all is well.
    pub(in crate::event_loop) fn tell_news(&mut self) {
        if !std::mem::take(&mut self.reports.is_news) {
            return;
        }
        if let Some(inbox) = &self.inbox {
            *inbox.board.picture.write() = Some(self.inspection());
        }
        let (running, all) = (self.pool.count_running_workers(), self.pool.count_workers());
        if running == all && !self.reports.was_ready {
            self.reports.was_ready = true;
            self.reports.detached.tell(&self.config.name);
            self.reports.notifier.ready(self.now);
            self.tell_unused_sockets();
        }
        self.reports.notifier.status(&format!("{running} of {all} workers run"), self.now);
    }

    /// The cluster is at rest: everybody is told, and the last picture stays for those who ask later.
    pub(in crate::event_loop) fn settle(&mut self, outcome: Outcome) {
        self.publish(&rest(outcome));
        self.dismiss_waiting();
        let picture = self.inspection();
        if let Some(inbox) = &self.inbox {
            *inbox.board.picture.write() = Some(picture);
            inbox.board.set_waker(None);
            // Who has ordered something since is told that it is too late, by the end of the channel.
            while inbox.orders.try_recv().is_ok() {}
        }
    }

    pub(in crate::event_loop) fn address_of(&self, balancer: BalancerId) -> String {
        if let Some(address) = self.datagrams.address_of(balancer) {
            return address;
        }
        let open = self.listeners.all.get(&balancer).map(|listener| listener.address);
        let closed =
            || self.listeners.closed.iter().find(|(id, _)| *id == balancer).map(|(_, address)| *address);
        open.or_else(closed).map_or_else(|| "a closed address".to_owned(), |address| address.to_string())
    }

    /// How the worker's last process ended, for people.
    pub(in crate::event_loop) fn last_exit(&self, worker: WorkerId) -> Option<String> {
        self.reports.causes.last(worker).map(|cause| cause.text.clone())
    }
}

/// Why a worker is in standby.
pub(super) fn because(reason: pool::Reason) -> &'static str {
    match reason {
        pool::Reason::Unstarted => "not started yet",
        pool::Reason::Restart => "waits for its next start",
        pool::Reason::BudgetSpent => "budget spent",
        pool::Reason::Finished => "finished",
        pool::Reason::Stopped => "stopped",
    }
}

/// A state under the original's name, and the process in it.
pub(super) fn shown(state: &State) -> (WorkerState, Option<u32>) {
    match state {
        State::Standby { .. } => (WorkerState::Standby, None),
        State::Starting { pid, .. } => (WorkerState::Starting, *pid),
        State::Running { pid, .. } => (WorkerState::Running, *pid),
        State::Stopping(stop) => (WorkerState::Stopping, stop.pid),
    }
}

/// That the cluster is at rest.
pub(in crate::event_loop) fn rest(outcome: Outcome) -> Event {
    Event::Standby { outcome: named(outcome).to_owned() }
}

fn named(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Stopped => "stopped",
        Outcome::Finished => "finished",
        Outcome::Exhausted => "exhausted",
        Outcome::NeverStarted { .. } => "never started",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_told_once() {
        let mut told = Told::default();
        let first = WorkerId { slot: 0, incarnation: 1 };
        let next = WorkerId { slot: 0, incarnation: 2 };
        assert!(told.is_new(first, WorkerState::Running, Some(7), None));
        assert!(told.is_new(first, WorkerState::Stopping, Some(7), Some("told to stop")));
        assert!(!told.is_new(first, WorkerState::Stopping, Some(7), Some("hung")));
        assert!(told.is_new(next, WorkerState::Running, Some(8), None), "it is another process");
        assert!(told.is_alive(first) && told.is_alive(next));
        assert!(told.is_new(first, WorkerState::Standby, None, Some("code 1")));
        assert!(!told.is_alive(first));
        assert!(!told.is_new(first, WorkerState::Standby, None, Some("code 1")));
        assert!(told.is_new(first, WorkerState::Standby, None, Some("budget spent: code 1")));
        assert!(!told.is_new(next, WorkerState::Running, Some(8), None));
        assert!(told.is_new(next, WorkerState::Standby, None, None));
        assert_eq!(told.0.len(), 1, "what came before is forgotten");
        told.forget(next);
        assert!(told.0.is_empty());
    }
}

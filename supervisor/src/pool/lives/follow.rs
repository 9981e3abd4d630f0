//! What an event means: the table changes the state of the process, and what follows from that is done here and nowhere else, for
//! current processes, successors and those that retire. It sends no signal and starts no process: it orders them.

use crate::ids::WorkerId;
use crate::pool::workers::event::{Effect, Event};
use crate::pool::workers::process::{Process, Role};
use crate::pool::workers::processes::Place;
use crate::pool::{Change, Exit, Failed, Finding, Note, Output, Pool, Signal, Stop, Then};
use std::time::{Duration, Instant};

/// What is known of an event and told with its consequences; the table does not need it.
#[derive(Clone, Debug)]
pub(in crate::pool) enum Cause {
    /// Nothing is known but the event itself. One that is evicted without a cause was not ready in time.
    Known,
    /// The first process ended like this.
    Exit(Exit),
    /// No process came, and this is why.
    NoProcess(String),
    /// It has hung for so long, and this was found.
    Hang { lag: Duration, finding: Finding, evidence: String },
}

impl Pool {
    /// An event for the process that has the slot, or for what stands for it.
    pub(in crate::pool) fn act(&mut self, now: Instant, slot: u32, event: Event) {
        self.act_at(now, self.processes.place_of_current(slot), event, Cause::Known);
    }

    /// An event for the process of that name, whichever part it plays.
    pub(in crate::pool) fn act_on(&mut self, now: Instant, id: WorkerId, event: Event) {
        self.act_at(now, self.processes.find(id), event, Cause::Known);
    }

    /// An event for every process that has a slot or is to have one.
    pub(in crate::pool) fn act_on_all(&mut self, now: Instant, event: Event) {
        for id in self.processes.active_ones().map(Process::id).collect::<Vec<_>>() {
            self.act_at(now, self.processes.find_active(id), event, Cause::Known);
        }
    }

    /// An event for one process, and what follows from it.
    pub(in crate::pool) fn act_at(&mut self, now: Instant, place: Option<Place>, event: Event, cause: Cause) {
        let Some(process) = place.and_then(|place| self.processes.at_mut(place)) else { return };
        let effect = process.apply(now, event, &self.settings);
        let (id, role) = (process.id(), process.role);
        if !effect.is_end() && !process.is_retiring() {
            self.update_eligibility(now, id);
            self.tell_state(id);
            self.tell_suspicion(id);
        }
        self.follow(now, id, role, effect, cause);
    }

    /// Everything that may follow from an event.
    pub(super) fn follow(
        &mut self,
        now: Instant,
        worker: WorkerId,
        role: Role,
        effect: Effect,
        cause: Cause,
    ) {
        match effect {
            Effect::Nothing => {}
            Effect::Started(signal) => {
                self.note_started(worker, role);
                if let Some(signal) = signal {
                    self.signal(worker, signal);
                }
            }
            Effect::Ready(after) => {
                self.ever_ready = true;
                self.note(Note::Ready { worker, after });
            }
            Effect::NeverListened(after) => {
                self.ever_ready = true;
                self.note(Note::NeverListened { worker, after });
            }
            Effect::Signal(signal) => self.signal(worker, signal),
            Effect::Drain => self.outbox.push_back(Output::Drain { worker }),
            Effect::Drained { after, quiet, signal } => {
                self.note(Note::Drained { worker, after, quiet });
                self.signal(worker, signal);
            }
            Effect::Forced(after) => {
                self.note(Note::Forced { worker, after });
                self.signal(worker, Signal::Kill);
            }
            Effect::Died(_) | Effect::Finished(_) | Effect::Stopped(_) | Effect::Replaced(_) => {
                self.ended(now, worker, role, effect, cause);
            }
            Effect::NotSpawned | Effect::NotSpawnedStopped => {
                self.not_spawned(now, worker, role, effect, cause);
            }
            Effect::Evicted(stop) => self.evicted(now, worker, role, stop, cause),
        }
    }

    /// The start of one that retires is neither noted nor counted: it is only there to end.
    fn note_started(&mut self, worker: WorkerId, role: Role) {
        match role {
            Role::Current => {
                if let Some(slot) = self.slots.get_mut(worker.slot as usize) {
                    slot.count_started();
                }
            }
            Role::Successor { .. } => {}
            Role::Retiring { .. } => return,
        }
        if let Some(pid) = self.processes.active(worker).and_then(Process::pid) {
            self.note(Note::Started { worker, pid });
        }
    }

    /// The process has ended.
    fn ended(&mut self, now: Instant, worker: WorkerId, role: Role, effect: Effect, cause: Cause) {
        let (Effect::Died(uptime)
        | Effect::Finished(uptime)
        | Effect::Stopped(uptime)
        | Effect::Replaced(uptime)) = effect
        else {
            return;
        };
        let Cause::Exit(exit) = cause else {
            debug_assert!(false, "{worker} ended, and nobody knows how");
            return;
        };
        let unasked = matches!(effect, Effect::Died(_) | Effect::Finished(_));
        let failed = Failed::Exited { worker, exit };
        let (retry_in, then) = match role {
            Role::Current => {
                if unasked {
                    self.fail(now, worker, failed.clone());
                }
                match effect {
                    Effect::Died(_) => match self.retry(now, worker.slot, uptime) {
                        Some(wait) => (Some(wait), Then::Restart),
                        None => (None, Then::BudgetSpent),
                    },
                    Effect::Finished(_) => (None, Then::Finished),
                    Effect::Replaced(_) => (Some(Duration::ZERO), Then::Commanded),
                    // It was asked to.
                    _ => (None, Then::Stopped),
                }
            }
            Role::Successor { .. } => (None, if unasked { Then::Failed } else { Then::Stopped }),
            Role::Retiring { then, .. } => (None, then),
        };
        // One that came to nothing before it had the slot is no end of the slot's.
        let was_the_slots = match role {
            Role::Current => true,
            Role::Successor { .. } => false,
            Role::Retiring { then, .. } => then != Then::Failed,
        };
        if let Some(slot) = self.slots.get_mut(worker.slot as usize).filter(|_| was_the_slots) {
            slot.last_exit = Some(exit);
        }
        self.note(Note::Exited { worker, exit, uptime, retry_in, then });
        if unasked && matches!(role, Role::Successor { .. }) {
            self.fail(now, worker, failed);
        }
        self.bury(now, worker, role, Some(exit));
    }

    /// No process came of the order.
    fn not_spawned(&mut self, now: Instant, worker: WorkerId, role: Role, effect: Effect, cause: Cause) {
        let Cause::NoProcess(error) = cause else {
            debug_assert!(false, "{worker} did not come to be, and nobody knows why");
            return;
        };
        let wanted = effect == Effect::NotSpawned;
        let failed = Failed::NotSpawned { worker, error: error.clone() };
        match role {
            Role::Current => {
                let retry_in = if wanted {
                    self.fail(now, worker, failed);
                    self.retry(now, worker.slot, Duration::ZERO)
                } else {
                    let due = self.processes.current(worker.slot).and_then(Process::due);
                    due.map(|at| at.saturating_duration_since(now))
                };
                self.note(Note::SpawnFailed { worker, error, retry_in });
            }
            Role::Successor { .. } if wanted => {
                self.note(Note::SpawnFailed { worker, error, retry_in: None });
                self.fail(now, worker, failed);
            }
            Role::Successor { .. } | Role::Retiring { .. } => {}
        }
        self.bury(now, worker, role, None);
    }

    /// The process has lost its place: what lives of it retires, and another is started if the budget allows it.
    fn evicted(&mut self, now: Instant, worker: WorkerId, role: Role, stop: Stop, cause: Cause) {
        let after = now.saturating_duration_since(stop.since);
        let version = self.processes.active(worker).map_or(self.version, |process| process.version);
        let (failed, uptime, keeps_lanes) = match &cause {
            Cause::Hang { .. } => (Some(Failed::Hung { worker }), after, false),
            // That counts as an early death, however long it took.
            Cause::Known | Cause::NoProcess(_) => {
                (Some(Failed::NotReady { worker, after }), Duration::ZERO, false)
            }
            Cause::Exit(_) => (None, after, true),
        };
        if let Some(failed) = failed {
            self.fail(now, worker, failed);
        }
        let (retry_in, then) = match role {
            Role::Current => match self.retry(now, worker.slot, uptime) {
                Some(wait) => (Some(wait), Then::Replaced),
                None => (None, Then::BudgetSpent),
            },
            Role::Successor { .. } | Role::Retiring { .. } => (None, Then::Failed),
        };
        self.processes.add(Process::retiring(worker, version, stop, then, keeps_lanes));
        match cause {
            Cause::Hang { lag, finding, evidence } => {
                if let Some(process) = self.processes.active_mut(worker) {
                    process.health.replacing = retry_in.is_some();
                }
                self.note(Note::Hung { worker, lag, finding, evidence, retry_in, then });
            }
            Cause::Known | Cause::NoProcess(_) => {
                self.note(Note::StartFailed { worker, after, retry_in, then });
            }
            Cause::Exit(exit) => {
                if let Some(slot) = self.slots.get_mut(worker.slot as usize) {
                    slot.last_exit = Some(exit);
                }
                self.note(Note::MainEnded { worker, exit, retry_in, then });
            }
        }
        self.bury(now, worker, role, None);
        if stop.drains() {
            self.outbox.push_back(Output::Drain { worker });
        } else {
            self.signal(worker, stop.signal);
        }
    }

    /// The process has its place no longer: its lanes go unless it keeps them, and another may start.
    fn bury(&mut self, now: Instant, id: WorkerId, role: Role, exit: Option<Exit>) {
        let was_current = role == Role::Current;
        let place = match role {
            Role::Current => None,
            Role::Successor { .. } => self.processes.find_active(id),
            Role::Retiring { .. } => self.processes.find_retiring(id),
        };
        if let Some(place) = place {
            self.processes.remove(place);
        }
        if was_current {
            self.tell_state(id);
        }
        if self.keeps_lanes(id) {
            self.update_eligibility(now, id);
        } else {
            self.retire_lanes_of(id);
        }
        self.tell_suspicion(id);
        if was_current {
            self.starved = self.starved && self.count_starving(now).is_some();
        }
        self.remove_gone();
        if was_current {
            self.give_up_on_a_bad_start(now, id, exit);
        }
        self.pump_all(now);
        if !matches!(role, Role::Retiring { .. }) {
            self.launch(now);
        }
        self.close_unserved();
    }

    /// Tells the shell what has become of the worker's state.
    pub(super) fn tell_state(&mut self, id: WorkerId) {
        let Some(process) = self.processes.active_mut(id) else { return };
        if let Some(state) = process.untold() {
            process.tell();
            // A successor that is no more leaves its slot as it was.
            if process.is_current() || process.is_live() {
                self.outbox.push_back(Output::Changed(Change::Worker { worker: id, state }));
            }
        }
    }

    pub(super) fn signal(&mut self, worker: WorkerId, signal: Signal) {
        self.outbox.push_back(Output::Signal { worker, signal });
    }
}

//! The part of the pool that starts, replaces and stops workers.
//! It sends no signal and starts no process: it orders them.

use super::deadlines::after;
use super::pool::{Phase, Pool};
use super::state::{Effect, Event};
use super::worker::Worker;
use super::{Change, Exit, Note, Outcome, Output, Signal, Then};
use crate::ids::WorkerId;
use std::time::{Duration, Instant};

impl Pool {
    pub(super) fn start(&mut self, now: Instant) {
        if self.phase != Phase::Idle {
            return;
        }
        self.phase = Phase::Serving;
        self.act_on_all(now, Event::Due(now));
        self.launch(now);
    }

    /// Orders a process for each worker that is due, longest due first, while there are boot slots.
    pub(super) fn launch(&mut self, now: Instant) {
        while self.boot_slot_free() {
            let due = self.workers.iter().filter_map(|worker| Some((worker.due()?, worker.id().slot)));
            let Some((_, slot)) = due.filter(|(at, _)| *at <= now).min_by_key(|(at, _)| *at) else {
                return;
            };
            self.act(now, slot, Event::Order);
            if let Some(worker) = self.workers.get(slot as usize).map(Worker::id) {
                self.outbox.push_back(Output::Spawn { worker });
            }
        }
    }

    pub(super) fn boot_slot_free(&self) -> bool {
        let held = self.workers.iter().filter(|worker| worker.holds_boot_slot()).count();
        held < self.settings.max_starting as usize
    }

    pub(super) fn spawned(&mut self, now: Instant, id: WorkerId, pid: u32) {
        if self.current(id).is_some() {
            self.act(now, id.slot, Event::Spawned(pid));
        }
    }

    pub(super) fn spawn_failed(&mut self, now: Instant, id: WorkerId, error: String) {
        let retry_in = match self.apply(now, id, Event::SpawnFailed) {
            Effect::NotSpawned => self.retry(now, id, Duration::ZERO),
            Effect::NotSpawnedStopped => self.due_in(now, id),
            effect => {
                debug_assert_eq!(effect, Effect::Nothing);
                return;
            }
        };
        self.note(Note::SpawnFailed { worker: id, error, retry_in });
        self.bury(now, id, None);
    }

    pub(super) fn exited(&mut self, now: Instant, id: WorkerId, exit: Exit) {
        if self.leaving_exited(now, id, exit) {
            return;
        }
        let ok = matches!(exit, Exit::Code(code) if self.settings.exit_codes_ok.contains(&code));
        let event = if ok { Event::Finished } else { Event::Exited };
        let (uptime, retry_in, then) = match self.apply(now, id, event) {
            Effect::Died(uptime) => match self.retry(now, id, uptime) {
                Some(wait) => (uptime, Some(wait), Then::Restart),
                None => (uptime, None, Then::BudgetSpent),
            },
            Effect::Finished(uptime) => (uptime, None, Then::Finished),
            Effect::Stopped(uptime) => (uptime, None, Then::Stopped),
            Effect::Replaced(uptime) => (uptime, Some(Duration::ZERO), Then::Commanded),
            effect => {
                debug_assert_eq!(effect, Effect::Nothing);
                return;
            }
        };
        if let Some(worker) = self.workers.get_mut(id.slot as usize) {
            worker.last_exit = Some(exit);
        }
        self.note(Note::Exited { worker: id, exit, uptime, retry_in, then });
        self.bury(now, id, Some(exit));
    }

    pub(super) fn stop(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Idle | Phase::Serving) {
            return;
        }
        self.begin_stopping(self.settings.stop_timeout);
        self.act_on_all(now, Event::Shutdown);
        self.act_on_leaving(now, None, Event::Shutdown);
        self.remove_gone();
    }

    pub(super) fn kill(&mut self, now: Instant) {
        match self.phase {
            Phase::Idle | Phase::Serving => self.begin_stopping(Some(Duration::ZERO)),
            Phase::Stopping => {}
            Phase::Done(_) => return,
        }
        self.act_on_all(now, Event::Kill);
        self.act_on_leaving(now, None, Event::Kill);
        self.remove_gone();
    }

    /// What has come due for workers, but for restarts.
    pub(super) fn worker_timers(&mut self, now: Instant) {
        for slot in 0..self.workers.len() {
            let due = |pool: &Self| {
                let worker = pool.workers.get(slot)?;
                Some((worker.id(), worker.due_event(now, &pool.settings)?))
            };
            while let Some((id, event)) = due(self) {
                if event == Event::StartTimeout && self.must_be_ready() {
                    self.start_failed(now, id);
                } else {
                    self.act(now, id.slot, event);
                    if event == Event::StartTimeout {
                        self.pump_all(now);
                    }
                }
            }
            let Some(worker) = self.workers.get_mut(slot) else { break };
            if worker.load.count_due(now) {
                let worker = worker.id();
                self.outbox.push_back(Output::Count { worker });
            }
        }
    }

    fn begin_stopping(&mut self, kill_in: Option<Duration>) {
        self.phase = Phase::Stopping;
        let workers = self.workers.iter().filter(|worker| worker.is_live()).count() as u32;
        self.note(Note::Stopping { workers, kill_in });
        self.balancers_stop();
    }

    fn act_on_all(&mut self, now: Instant, event: Event) {
        for slot in 0..self.workers.len() as u32 {
            self.act(now, slot, event);
        }
    }

    /// An event for the worker in the slot, and what follows from it.
    pub(super) fn act(&mut self, now: Instant, slot: u32, event: Event) {
        let Some(worker) = self.workers.get_mut(slot as usize) else { return };
        let effect = worker.apply(now, event, &self.settings);
        let id = worker.id();
        self.regate(now, slot);
        self.tell_state(slot);
        self.tell_suspicion(slot);
        self.follow(id, effect);
    }

    /// An event for a worker, of which the state is told later; a name of the past has no effect.
    pub(super) fn apply(&mut self, now: Instant, id: WorkerId, event: Event) -> Effect {
        match self.workers.get_mut(id.slot as usize).filter(|worker| worker.id() == id) {
            Some(worker) => worker.apply(now, event, &self.settings),
            None => Effect::Nothing,
        }
    }

    /// Tells the shell what has become of the worker's state.
    fn tell_state(&mut self, slot: u32) {
        let Some(worker) = self.workers.get_mut(slot as usize) else { return };
        if let Some(state) = worker.untold() {
            worker.tell();
            let worker = worker.id();
            self.outbox.push_back(Output::Changed(Change::Worker { worker, state }));
        }
    }

    /// Carries out what needs no more than a note and a signal.
    pub(super) fn follow(&mut self, worker: WorkerId, effect: Effect) {
        match effect {
            Effect::Signal(signal) => self.signal(worker, signal),
            Effect::Forced(after) => {
                self.note(Note::Forced { worker, after });
                self.signal(worker, Signal::Kill);
            }
            Effect::Started(signal) => {
                if let Some(pid) = self.current(worker).and_then(Worker::pid) {
                    self.note(Note::Started { worker, pid });
                }
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
            Effect::Nothing
            | Effect::Hung(_)
            | Effect::Died(_)
            | Effect::Finished(_)
            | Effect::Stopped(_)
            | Effect::Replaced(_)
            | Effect::NotSpawned
            | Effect::NotSpawnedStopped => {}
        }
    }

    /// A worker in standby starts again after the time returned, or never.
    pub(super) fn retry(&mut self, now: Instant, id: WorkerId, uptime: Duration) -> Option<Duration> {
        let worker = self.workers.get_mut(id.slot as usize)?;
        worker.has_died = true;
        let wait = worker.backoff.retry(uptime, &self.settings);
        let event = wait.map_or(Event::GiveUp, |wait| Event::Due(after(now, wait)));
        worker.apply(now, event, &self.settings);
        wait
    }

    fn due_in(&self, now: Instant, id: WorkerId) -> Option<Duration> {
        self.current(id)?.due().map(|at| at.saturating_duration_since(now))
    }

    /// The process is gone: its lanes go, and another may start.
    pub(super) fn bury(&mut self, now: Instant, id: WorkerId, exit: Option<Exit>) {
        self.tell_state(id.slot);
        self.retire_lanes_of(id);
        self.tell_suspicion(id.slot);
        self.starved = self.starved && self.count_starving(now).is_some();
        self.remove_gone();
        self.give_up_on_a_bad_start(now, id, exit);
        self.pump_all(now);
        self.launch(now);
        self.close_unserved();
    }

    /// A cluster of which no worker has ever been ready, and each has died, is more likely wrong than unlucky.
    fn give_up_on_a_bad_start(&mut self, now: Instant, worker: WorkerId, exit: Option<Exit>) {
        let hopeless = !self.settings.keep_trying
            && !self.ever_ready
            && self.phase == Phase::Serving
            && self.workers.iter().all(|worker| worker.has_died || worker.removed);
        if hopeless {
            self.outcome = Outcome::NeverStarted { worker, exit };
            self.note(Note::NeverStarted { worker, exit });
            self.stop(now);
        }
    }

    pub(super) fn signal(&mut self, worker: WorkerId, signal: Signal) {
        self.outbox.push_back(Output::Signal { worker, signal });
    }
}

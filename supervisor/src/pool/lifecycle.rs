//! The part of the pool that starts, replaces and stops workers.
//! It sends no signal and starts no process: it orders them.

use super::deadlines::after;
use super::pool::{Phase, Pool};
use super::state::{Effect, Event};
use super::worker::Worker;
use super::{Exit, Note, Output, Signal};
use crate::ids::WorkerId;
use std::time::{Duration, Instant};

impl Pool {
    pub(super) fn start(&mut self, now: Instant) {
        if self.phase != Phase::Idle {
            return;
        }
        self.phase = Phase::Serving;
        for worker in &mut self.workers {
            worker.apply(now, Event::Due(now), &self.settings);
        }
        self.launch(now);
    }

    /// Orders a process for each worker that is due, longest due first, while there are boot slots.
    pub(super) fn launch(&mut self, now: Instant) {
        while self.boot_slot_free() {
            let due = self.workers.iter_mut().filter_map(|worker| Some((worker.due()?, worker)));
            let Some((_, worker)) = due.filter(|(at, _)| *at <= now).min_by_key(|(at, _)| *at) else {
                return;
            };
            worker.apply(now, Event::Order, &self.settings);
            self.outbox.push_back(Output::Spawn { worker: worker.id() });
        }
    }

    pub(super) fn boot_slot_free(&self) -> bool {
        let held = self.workers.iter().filter(|worker| worker.holds_boot_slot()).count();
        held < self.settings.max_starting as usize
    }

    pub(super) fn spawned(&mut self, now: Instant, id: WorkerId, pid: u32) {
        match self.apply(now, id, Event::Spawned(pid)) {
            Effect::Started(signal) => {
                self.note(Note::Started { worker: id, pid });
                if let Some(signal) = signal {
                    self.signal(id, signal);
                }
            }
            effect => debug_assert_eq!(effect, Effect::Nothing),
        }
    }

    pub(super) fn spawn_failed(&mut self, now: Instant, id: WorkerId, error: String) {
        let retry_in = match self.apply(now, id, Event::SpawnFailed) {
            Effect::NotSpawned => self.retry(now, id, Duration::ZERO),
            Effect::NotSpawnedStopped => None,
            effect => {
                debug_assert_eq!(effect, Effect::Nothing);
                return;
            }
        };
        self.note(Note::SpawnFailed { worker: id, error, retry_in });
        self.bury(now, id);
    }

    pub(super) fn exited(&mut self, now: Instant, id: WorkerId, exit: Exit) {
        let (uptime, retry_in, budget_spent) = match self.apply(now, id, Event::Exited) {
            Effect::Died(uptime) => {
                let retry_in = self.retry(now, id, uptime);
                (uptime, retry_in, retry_in.is_none())
            }
            Effect::Stopped(uptime) => (uptime, None, false),
            effect => {
                debug_assert_eq!(effect, Effect::Nothing);
                return;
            }
        };
        self.note(Note::Exited { worker: id, exit, uptime, retry_in, budget_spent });
        self.bury(now, id);
    }

    pub(super) fn stop(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Idle | Phase::Serving) {
            return;
        }
        self.begin_stopping(self.settings.stop_timeout);
        self.apply_to_all(now, Event::Stop);
        self.pump_all(now);
    }

    pub(super) fn kill(&mut self, now: Instant) {
        match self.phase {
            Phase::Idle | Phase::Serving => self.begin_stopping(Some(Duration::ZERO)),
            Phase::Stopping => {}
            Phase::Done(_) => return,
        }
        self.apply_to_all(now, Event::Kill);
        self.pump_all(now);
    }

    /// What has come due for workers, but for restarts.
    pub(super) fn worker_timers(&mut self, now: Instant) {
        for slot in 0..self.workers.len() {
            while let Some(event) = self.workers[slot].due_event(now, &self.settings) {
                let id = self.workers[slot].id();
                let effect = self.apply(now, id, event);
                self.follow(id, effect);
            }
        }
    }

    fn begin_stopping(&mut self, kill_in: Option<Duration>) {
        self.phase = Phase::Stopping;
        let workers = self.workers.iter().filter(|worker| worker.is_live()).count() as u32;
        self.note(Note::Stopping { workers, kill_in });
        self.lanes_leave();
    }

    fn apply_to_all(&mut self, now: Instant, event: Event) {
        for slot in 0..self.workers.len() {
            let id = self.workers[slot].id();
            let effect = self.apply(now, id, event);
            self.follow(id, effect);
        }
    }

    /// An event for a worker; a name of the past has no effect.
    pub(super) fn apply(&mut self, now: Instant, id: WorkerId, event: Event) -> Effect {
        match self.workers.get_mut(id.slot as usize).filter(|worker| worker.id() == id) {
            Some(worker) => worker.apply(now, event, &self.settings),
            None => Effect::Nothing,
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
            Effect::Ready(after) => self.note(Note::Ready { worker, after }),
            Effect::NeverListened(after) => self.note(Note::NeverListened { worker, after }),
            Effect::Nothing
            | Effect::Started(_)
            | Effect::Died(_)
            | Effect::Stopped(_)
            | Effect::NotSpawned
            | Effect::NotSpawnedStopped => {}
        }
    }

    /// A worker in standby starts again after the time returned, or never.
    fn retry(&mut self, now: Instant, id: WorkerId, uptime: Duration) -> Option<Duration> {
        let worker = self.workers.get_mut(id.slot as usize)?;
        let wait = worker.backoff.retry(uptime, &self.settings);
        let event = wait.map_or(Event::GiveUp, |wait| Event::Due(after(now, wait)));
        worker.apply(now, event, &self.settings);
        wait
    }

    /// The process is gone: its lanes go, and another may start.
    fn bury(&mut self, now: Instant, id: WorkerId) {
        self.retire_lanes_of(id);
        self.pump_all(now);
        self.launch(now);
        self.close_unserved();
    }

    fn signal(&mut self, worker: WorkerId, signal: Signal) {
        self.outbox.push_back(Output::Signal { worker, signal });
    }

    /// A worker is starting or is going to be.
    pub(super) fn is_anyone_coming(&self) -> bool {
        self.workers.iter().any(Worker::is_coming)
    }
}

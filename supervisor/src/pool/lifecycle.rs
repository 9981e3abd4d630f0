//! The part of the pool that starts, replaces and stops workers.
//! It sends no signal and starts no process: it orders them.

use super::deadlines::after;
use super::pool::{Phase, Pool};
use super::rollout::Failed;
use super::state::{Effect, Event};
use super::worker::Worker;
use super::{BootEnd, Change, Exit, Note, Outcome, Output, Signal, Then};
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
            let due = self
                .launchable()
                .filter_map(|worker| Some((worker.due().filter(|at| *at <= now)?, worker.id())));
            let Some((_, id)) = due.min_by_key(|(at, _)| *at) else { return };
            let Some(worker) = self.workers.by_id_mut(id) else { return };
            worker.apply(now, Event::Order, &self.settings);
            let (worker, version) = (worker.id(), worker.version);
            self.regate(now, worker);
            self.tell_state(worker);
            self.outbox.push_back(Output::Spawn { worker, version });
        }
    }

    /// Those that may be started when they are due. A slot that has a successor is about to be the successor's.
    pub(super) fn launchable(&self) -> impl Iterator<Item = &Worker> {
        let own = self.workers.iter().filter(|worker| self.workers.successor(worker.id().slot).is_none());
        own.chain(&self.workers.successors)
    }

    pub(super) fn boot_slot_free(&self) -> bool {
        let held = self.workers.everyone().filter(|worker| worker.holds_boot_slot()).count();
        held < self.settings.max_starting as usize
    }

    pub(super) fn spawned(&mut self, now: Instant, id: WorkerId, pid: u32) {
        if !self.leaving_told(now, id, Event::Spawned(pid)) {
            self.act_on(now, id, Event::Spawned(pid));
        }
    }

    pub(super) fn spawn_failed(&mut self, now: Instant, id: WorkerId, error: String) {
        if self.leaving_not_spawned(now, id) || self.successor_not_spawned(now, id, &error) {
            return;
        }
        let retry_in = match self.apply(now, id, Event::SpawnFailed) {
            Effect::NotSpawned => {
                self.fail(now, id, Failed::SpawnFailed { worker: id, error: error.clone() });
                self.retry(now, id, Duration::ZERO)
            }
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
        let served = self.lanes.values().any(|lane| lane.worker() == id);
        self.refusals.ended(id, served);
        if self.leaving_exited(now, id, exit) || self.successor_exited(now, id, exit) {
            return;
        }
        let ok = matches!(exit, Exit::Code(code) if self.settings.exit_codes_ok.contains(&code));
        let event = if ok { Event::Finished } else { Event::Exited };
        let effect = self.apply(now, id, event);
        if matches!(effect, Effect::Died(_) | Effect::Finished(_)) {
            self.fail(now, id, Failed::Exited { worker: id, exit });
        }
        let (uptime, retry_in, then) = match effect {
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

    /// At once: nothing drains.
    pub(super) fn halt(&mut self, now: Instant) {
        match self.phase {
            Phase::Idle | Phase::Serving => {
                let times = [self.settings.stop_timeout, self.settings.shutdown_timeout];
                self.begin_stopping(now, times.into_iter().flatten().min());
                self.limit_stop(now);
            }
            Phase::Stopping => {}
            Phase::Done(_) => return,
        }
        self.act_on_all(now, Event::Shutdown);
        self.act_on_leaving(now, None, Event::Shutdown);
        self.remove_gone();
    }

    pub(super) fn kill(&mut self, now: Instant) {
        match self.phase {
            Phase::Idle | Phase::Serving => self.begin_stopping(now, Some(Duration::ZERO)),
            Phase::Stopping => {}
            Phase::Done(_) => return,
        }
        self.act_on_all(now, Event::Kill);
        self.act_on_leaving(now, None, Event::Kill);
        self.remove_gone();
    }

    /// What has come due for workers, but for restarts.
    pub(super) fn worker_timers(&mut self, now: Instant) {
        for id in self.workers.everyone().map(Worker::id).collect::<Vec<_>>() {
            let due = |pool: &Self| pool.current(id)?.due_event(now, &pool.settings);
            while let Some(event) = due(self) {
                if event == Event::StartTimeout && self.must_be_ready() {
                    self.start_failed(now, id);
                } else {
                    if event == Event::SlotFreed
                        && self.boot_slot_wanted().is_some_and(|at| at <= now)
                        && let Some(since) = self.current(id).and_then(Worker::since)
                    {
                        let after = now.saturating_duration_since(since);
                        self.note(Note::BootOver { worker: id, after, end: BootEnd::Unseen });
                    }
                    self.act_on(now, id, event);
                    if event == Event::StartTimeout {
                        self.pump_all(now);
                    }
                }
            }
            let Some(worker) = self.workers.by_id_mut(id) else { continue };
            if worker.load.count_due(now) {
                let worker = worker.id();
                self.outbox.push_back(Output::Count { worker });
            }
        }
    }

    pub(super) fn begin_stopping(&mut self, now: Instant, kill_in: Option<Duration>) {
        self.abandon(now);
        self.phase = Phase::Stopping;
        if self.closing.is_none() {
            let workers = self.workers.everyone().filter(|worker| worker.is_live()).count() as u32;
            self.note(Note::Stopping { workers, kill_in });
        }
        self.balancers_stop();
    }

    pub(super) fn act_on_all(&mut self, now: Instant, event: Event) {
        for id in self.workers.everyone().map(Worker::id).collect::<Vec<_>>() {
            self.act_on(now, id, event);
        }
    }

    /// An event for the worker in the slot, and what follows from it.
    pub(super) fn act(&mut self, now: Instant, slot: u32, event: Event) {
        if let Some(id) = self.workers.get(slot as usize).map(Worker::id) {
            self.act_on(now, id, event);
        }
    }

    /// An event for the worker of that name, and what follows from it.
    pub(super) fn act_on(&mut self, now: Instant, id: WorkerId, event: Event) {
        let Some(worker) = self.workers.by_id_mut(id) else { return };
        let effect = worker.apply(now, event, &self.settings);
        self.regate(now, id);
        self.tell_state(id);
        self.tell_suspicion(id);
        self.follow(id, effect);
    }

    /// An event for a worker, of which the state is told later; a name of the past has no effect.
    pub(super) fn apply(&mut self, now: Instant, id: WorkerId, event: Event) -> Effect {
        match self.workers.by_id_mut(id) {
            Some(worker) => worker.apply(now, event, &self.settings),
            None => Effect::Nothing,
        }
    }

    /// Tells the shell what has become of the worker's state.
    pub(super) fn tell_state(&mut self, id: WorkerId) {
        let own = self.workers.get(id.slot as usize).is_some_and(|own| own.id() == id);
        let Some(worker) = self.workers.by_id_mut(id) else { return };
        if let Some(state) = worker.untold() {
            worker.tell();
            // A successor that is no more leaves its slot as it was.
            if own || worker.is_live() {
                self.outbox.push_back(Output::Changed(Change::Worker { worker: id, state }));
            }
        }
    }

    /// Carries out what needs no more than a note and a signal.
    pub(super) fn follow(&mut self, worker: WorkerId, effect: Effect) {
        match effect {
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
        let worker = self.workers.by_id_mut(id)?;
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
        self.tell_state(id);
        self.retire_lanes_of(id);
        self.tell_suspicion(id);
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
            self.halt(now);
        }
    }

    pub(super) fn signal(&mut self, worker: WorkerId, signal: Signal) {
        self.outbox.push_back(Output::Signal { worker, signal });
    }
}

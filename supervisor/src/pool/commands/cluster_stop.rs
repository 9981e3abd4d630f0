//! The part of the pool that stops the cluster: with a delay and a drain if it has the time, or at once. Nothing that was let in is left
//! behind unless all is to end at once.

use crate::ids::BalancerId;
use crate::pool::vocabulary::deadlines::{Deadlines, after};
use crate::pool::vocabulary::phase::{Closing, Stage};
use crate::pool::vocabulary::socket::Intake;
use crate::pool::workers::event::Event;
use crate::pool::workers::process::Process;
use crate::pool::{Balancer, BalancerState, Deadline, Lane, Note, Outcome, Output, Phase, Pool, Timer};
use std::time::{Duration, Instant};

impl Pool {
    /// Stop everything, and lose nothing that can be kept.
    pub(in crate::pool) fn stop(&mut self, now: Instant) {
        match self.phase {
            Phase::Idle | Phase::Serving if self.closing.is_none() => {}
            Phase::Idle | Phase::Serving | Phase::Stopping | Phase::Done(_) => return,
        }
        let Some(told_within) = self.settings.stop.told_within().filter(|_| self.phase == Phase::Serving)
        else {
            return self.halt(now);
        };
        self.abandon(now);
        let kill_in = self.settings.stop.shutdown_within();
        let workers = self.processes.active_ones().filter(|worker| worker.is_live()).count() as u32;
        self.note(Note::Stopping { workers, kill_in: kill_in.or(self.settings.stop.timeout()) });
        let begin = after(now, self.settings.stop.drain_delay);
        let drain_by = after(now, told_within);
        self.closing = Some(Closing {
            stage: Stage::Waiting(begin.min(drain_by)),
            drain_by,
            kill_at: kill_in.map(|limit| after(now, limit)),
        });
    }

    /// At once: nothing drains.
    pub(in crate::pool) fn halt(&mut self, now: Instant) {
        match self.phase {
            Phase::Idle | Phase::Serving => {
                let times = [self.settings.stop.timeout(), self.settings.stop.shutdown_within()];
                self.begin_stopping(now, times.into_iter().flatten().min());
                self.limit_stop(now);
            }
            Phase::Stopping => {}
            Phase::Done(_) => return,
        }
        self.act_on_all(now, Event::Shutdown);
        self.act_on_retiring(now, None, Event::Shutdown);
        self.remove_gone();
    }

    pub(in crate::pool) fn kill(&mut self, now: Instant) {
        match self.phase {
            Phase::Idle | Phase::Serving => self.begin_stopping(now, Some(Duration::ZERO)),
            Phase::Stopping => {}
            Phase::Done(_) => return,
        }
        self.act_on_all(now, Event::Kill);
        self.act_on_retiring(now, None, Event::Kill);
        self.remove_gone();
    }

    pub(super) fn begin_stopping(&mut self, now: Instant, kill_in: Option<Duration>) {
        self.abandon(now);
        self.phase = Phase::Stopping;
        if self.closing.is_none() {
            let workers = self.processes.active_ones().filter(|process| process.is_live()).count() as u32;
            self.note(Note::Stopping { workers, kill_in });
        }
        self.balancers_stop();
    }

    /// Goes on with the stop as far as it can.
    pub(in crate::pool) fn close(&mut self, now: Instant) {
        let Some(Closing { stage, drain_by, kill_at }) = self.closing else { return };
        if kill_at.is_some_and(|at| at <= now) && !matches!(self.phase, Phase::Done(_)) {
            // Once is enough.
            self.closing = self.closing.map(|closing| Closing { kill_at: None, ..closing });
            return self.kill(now);
        }
        match stage {
            Stage::Waiting(until) if until <= now && self.phase == Phase::Serving => {
                self.set_stage_of_closing(Stage::Emptying);
                self.stop_intakes();
                self.close(now);
            }
            Stage::Emptying if self.phase == Phase::Serving && (drain_by <= now || self.is_empty()) => {
                self.set_stage_of_closing(Stage::Draining);
                self.drain_all(now, drain_by);
            }
            Stage::Waiting(_) | Stage::Emptying | Stage::Draining => {}
        }
    }

    /// All stop at once, and have no longer than the whole stop may take.
    pub(super) fn limit_stop(&mut self, now: Instant) {
        let limit = self.settings.stop.shutdown_within().filter(|_| self.closing.is_none());
        if let Some(limit) =
            limit.filter(|limit| self.settings.stop.timeout().is_none_or(|stop| *limit < stop))
        {
            let (stage, kill_at) = (Stage::Draining, Some(after(now, limit)));
            self.closing = Some(Closing { stage, drain_by: now, kill_at });
        }
    }

    fn set_stage_of_closing(&mut self, stage: Stage) {
        self.closing = self.closing.map(|closing| Closing { stage, ..closing });
    }

    fn stop_intakes(&mut self) {
        for balancer in self.balancers.values_mut() {
            if balancer.state == BalancerState::Running && balancer.intake == Intake::Open {
                balancer.intake = Intake::Closing;
                self.outbox.push_back(Output::StopIntake { balancer: balancer.id() });
            }
        }
    }

    /// Nothing is left in the queue of the balancer's socket, and nothing comes any more.
    pub(in crate::pool) fn emptied(&mut self, id: BalancerId) {
        if let Some(balancer) = self.balancers.get_mut(&id).filter(|other| other.intake == Intake::Closing) {
            balancer.intake = Intake::Empty;
        }
    }

    /// All that was let in has been taken by a worker, or there is none to take it.
    fn is_empty(&self) -> bool {
        let emptied = |balancer: &Balancer| {
            let serves = |lane: &Lane| lane.balancer() == balancer.id() && lane.is_usable();
            let served = self.lanes.values().any(serves) || self.is_anyone_coming();
            let open = balancer.intake == Intake::Closing && balancer.state == BalancerState::Running;
            !served || !open && balancer.held() == 0
        };
        self.balancers.values().all(emptied)
            && self.lanes.values().all(|lane| lane.credit || lane.holds() == 0)
    }

    fn drain_all(&mut self, now: Instant, drain_by: Deadline) {
        self.begin_stopping(now, None);
        self.close_sockets();
        self.act_on_all(now, Event::Close(drain_by));
        self.act_on_retiring(now, None, Event::Close(drain_by));
        self.remove_gone();
    }

    /// Whoever comes now learns at once that there is nobody, and may ask elsewhere.
    fn close_sockets(&mut self) {
        for balancer in self.balancers.values_mut().filter(|balancer| balancer.intake != Intake::Gone) {
            balancer.intake = Intake::Gone;
            self.outbox.extend(balancer.drain_held().map(|conn| Output::Refuse { conn }));
            self.outbox.push_back(Output::CloseBalancer { balancer: balancer.id() });
        }
    }

    /// The moments that the stop waits for.
    pub(in crate::pool) fn close_timer(&self) -> Option<(Deadline, Timer)> {
        let Closing { stage, drain_by, kill_at } = self.closing?;
        let next = match stage {
            Stage::Waiting(until) => Some(until),
            Stage::Emptying => Some(drain_by),
            Stage::Draining => None,
        };
        let next = next.filter(|_| self.phase == Phase::Serving);
        let kill_at = kill_at.filter(|_| !matches!(self.phase, Phase::Done(_)));
        Some((next.into_iter().chain(kill_at).min()?, Timer::Close))
    }

    /// The cluster stops, and its workers still serve.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// When nothing runs any more and nothing will, what is left is closed and `Done` said. Only once the outbox is
    /// empty: carrying it out may give connections back.
    pub(in crate::pool) fn come_to_rest(&mut self) {
        let is_over = |process: &Process| process.is_over(self.is_unwanted(process));
        let outcome = match self.phase {
            _ if self.processes.retiring().next().is_some() => return,
            Phase::Stopping if !self.processes.active_ones().any(Process::is_live) => self.outcome,
            Phase::Serving if self.processes.active_ones().all(is_over) => {
                let is_done = |process: &Process| process.is_finished() || self.is_unwanted(process);
                let finished = self.processes.currents().all(is_done);
                if finished { Outcome::Finished } else { Outcome::Exhausted }
            }
            Phase::Idle | Phase::Serving | Phase::Stopping | Phase::Done(_) => return,
        };
        self.end_rollouts();
        self.phase = Phase::Done(outcome);
        while let Some((&id, _)) = self.balancers.first_key_value() {
            self.close_balancer(id);
        }
        self.deadlines = Deadlines::default();
        self.outbox.push_back(Output::Done(outcome));
        self.check();
    }
}

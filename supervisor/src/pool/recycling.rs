//! The part of the pool that replaces processes that have served for long enough: the slot gets another one by a rollout of that one
//! slot. Nothing is stopped from here.

use super::deadlines::after;
use super::footprint::{Excess, Spared};
use super::pool::Pool;
use super::process::Process;
use super::{Deadline, Note, Output, Timer, Worn};
use crate::ids::WorkerId;
use std::time::{Duration, Instant};

/// After a successor that failed, the process goes on for so long before the next is tried.
const AGAIN: Duration = Duration::from_secs(60);

impl Pool {
    /// So many bytes of memory does the worker hold, what it shares counted in full. Whether that is too much is measured
    /// anew before anything follows.
    pub(super) fn weighed(&mut self, now: Instant, id: WorkerId, resident: u64) {
        let may_be_replaced =
            self.wearing().any(|worker| worker.id() == id && worker.wear.again_at.is_none());
        let Self { processes, settings, outbox, .. } = self;
        let Some(Process { wear, .. }) = processes.active_mut(id) else { return };
        wear.footprint.sample(resident, settings);
        if may_be_replaced && wear.footprint.wants_measure(now, settings) {
            outbox.push_back(Output::MeasureMemory { worker: id });
        }
    }

    /// So many bytes are the worker's own or its part of what it shares; `None` if that cannot be read.
    pub(super) fn memory_measured(&mut self, now: Instant, id: WorkerId, proportional: Option<u64>) {
        let Self { processes, settings, .. } = self;
        let Some((Process { wear, .. }, limit)) = processes.active_mut(id).zip(settings.memory_limit) else {
            return;
        };
        match wear.footprint.measured(now, proportional, settings) {
            Some(Spared::Shares { resident, own }) => {
                self.note(Note::SharesMemory { worker: id, resident, own, limit });
            }
            Some(Spared::LikeTheLast { excess: Excess { bytes, measure }, pause }) => {
                let worn = Worn::Memory { bytes, limit, measure };
                self.note(Note::NoBetter { worker: id, worn, pause });
            }
            None => {}
        }
    }

    /// The worker that is to be replaced next, if any may be now.
    pub(super) fn worn(&self, now: Instant) -> Option<(WorkerId, Worn)> {
        let cause = |process: &Process| process.wear.cause(now, process.load.dispatched(), &self.settings);
        let mut serving = self.wearing();
        serving.find_map(|worker| Some((worker.id(), cause(worker)?)))
    }

    /// Those that were spared for long enough are looked at like any other.
    pub(super) fn spare_no_more(&mut self, now: Instant) {
        for worker in self.processes.currents_mut() {
            worker.wear.again_at = worker.wear.again_at.filter(|at| *at > now);
        }
    }

    /// Nobody was put in its place: not again at once.
    pub(super) fn spare(&mut self, now: Instant, slot: u32) {
        if let Some(worker) = self.processes.current_mut(slot) {
            worker.wear.again_at = Some(after(now, AGAIN));
            worker.wear.footprint.goes_on();
        }
    }

    /// The worker is being replaced for this.
    pub(super) fn is_replaced_for(&mut self, id: WorkerId, worn: Worn) {
        if let (Worn::Memory { .. }, Some(worker)) = (worn, self.processes.active_mut(id)) {
            worker.wear.footprint.is_replaced();
        }
    }

    /// When the next one may be worn out by time alone.
    pub(super) fn wear_timer(&self) -> Option<(Deadline, Timer)> {
        let looks = self.wearing().filter_map(|worker| worker.wear.next_look());
        Some((looks.chain(self.spent).min()?, Timer::Wear))
    }

    /// Those that may be replaced; none while there is something else to do.
    fn wearing(&self) -> impl Iterator<Item = &Process> {
        let idle = self.may_roll();
        let is_wearing = move |process: &&Process| idle && process.is_running() && !self.is_unwanted(process);
        self.processes.currents().filter(is_wearing)
    }
}

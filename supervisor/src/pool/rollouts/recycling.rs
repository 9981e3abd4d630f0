//! The part of the pool that replaces processes that have served for long enough: the slot gets another one by a rollout of that one
//! slot. Nothing is stopped from here.

use crate::ids::WorkerId;
use crate::pool::vitals::footprint::{Excess, Spared};
use crate::pool::vocabulary::deadlines::after;
use crate::pool::workers::process::Process;
use crate::pool::{Deadline, Note, Output, Pool, RecycleReason, Timer};
use std::time::{Duration, Instant};

/// After a successor that failed, the process goes on for so long before the next is tried.
const AGAIN: Duration = Duration::from_secs(60);

impl Pool {
    /// So many bytes of memory does the worker hold, what it shares counted in full. Whether that is too much is measured
    /// anew before anything follows.
    pub(in crate::pool) fn weighed(&mut self, now: Instant, id: WorkerId, resident: u64) {
        let may_be_replaced =
            self.recyclable().any(|worker| worker.id() == id && worker.recycle.again_at.is_none());
        let Self { processes, settings, outbox, .. } = self;
        let Some(Process { recycle, .. }) = processes.active_mut(id) else { return };
        recycle.footprint.sample(resident, settings);
        if may_be_replaced && recycle.footprint.wants_measure(now, settings) {
            outbox.push_back(Output::MeasureMemory { worker: id });
        }
    }

    /// So many bytes are the worker's own or its part of what it shares; `None` if that cannot be read.
    pub(in crate::pool) fn memory_measured(&mut self, now: Instant, id: WorkerId, proportional: Option<u64>) {
        let Self { processes, settings, .. } = self;
        let Some((Process { recycle, .. }, limit)) =
            processes.active_mut(id).zip(settings.recycle.memory_bytes())
        else {
            return;
        };
        match recycle.footprint.measured(now, proportional, settings) {
            Some(Spared::Shares { resident, own }) => {
                self.note(Note::SharesMemory { worker: id, resident, own, limit });
            }
            Some(Spared::LikeTheLast { excess: Excess { bytes, measure }, pause }) => {
                let reason = RecycleReason::Memory { bytes, limit, measure };
                self.note(Note::NoBetter { worker: id, reason, pause });
            }
            None => {}
        }
    }

    /// The worker that is to be replaced next, if any may be now.
    pub(super) fn to_recycle(&self, now: Instant) -> Option<(WorkerId, RecycleReason)> {
        let cause = |process: &Process| process.recycle.cause(now, process.load.dispatched(), &self.settings);
        let mut serving = self.recyclable();
        serving.find_map(|worker| Some((worker.id(), cause(worker)?)))
    }

    /// Those that were spared for long enough are looked at like any other.
    pub(super) fn retry_now_if_due(&mut self, now: Instant) {
        for worker in self.processes.currents_mut() {
            worker.recycle.again_at = worker.recycle.again_at.filter(|at| *at > now);
        }
    }

    /// Nobody was put in its place: not again at once.
    pub(super) fn retry_later(&mut self, now: Instant, slot: u32) {
        if let Some(worker) = self.processes.current_mut(slot) {
            worker.recycle.again_at = Some(after(now, AGAIN));
            worker.recycle.footprint.goes_on();
        }
    }

    /// The worker is being replaced for this.
    pub(super) fn is_replaced_for(&mut self, id: WorkerId, reason: RecycleReason) {
        if let (RecycleReason::Memory { .. }, Some(worker)) = (reason, self.processes.active_mut(id)) {
            worker.recycle.footprint.is_replaced();
        }
    }

    /// When the next one may have served for long enough by time alone.
    pub(in crate::pool) fn recycle_timer(&self) -> Option<(Deadline, Timer)> {
        let looks = self.recyclable().filter_map(|worker| worker.recycle.next_look());
        Some((looks.chain(self.spent).min()?, Timer::Recycle))
    }

    /// Those that may be replaced; none while there is something else to do.
    fn recyclable(&self) -> impl Iterator<Item = &Process> {
        let idle = self.may_roll();
        let is_recyclable =
            move |process: &&Process| idle && process.is_running() && !self.is_unwanted(process);
        self.processes.currents().filter(is_recyclable)
    }
}

//! What comes due for processes, and the earliest moment of all that the pool waits for. It reads no clock.

use super::follow::Cause;
use crate::ids::WorkerId;
use crate::pool::vocabulary::deadlines::Deadlines;
use crate::pool::workers::event::Event;
use crate::pool::workers::process::Process;
use crate::pool::{BootEnd, Note, Output, Pool, Timer};
use std::time::Instant;

impl Pool {
    /// What has come due for processes, but for restarts.
    pub(in crate::pool) fn process_timers(&mut self, now: Instant) {
        for id in self.processes.active_ones().map(Process::id).collect::<Vec<_>>() {
            let due = |pool: &Self| pool.processes.active(id)?.due_event(now, &pool.settings);
            while let Some(event) = due(self) {
                self.comes_due(now, id, event);
            }
            let Some(process) = self.processes.active_mut(id) else { continue };
            if process.load.count_due(now) {
                self.outbox.push_back(Output::Count { worker: id });
            }
        }
        // Those that had their time to drain are stopped, and those that had their time to stop are killed.
        for id in self.processes.retiring().map(Process::id).collect::<Vec<_>>() {
            let place = self.processes.find_retiring(id);
            let due = place.and_then(|place| self.processes.at(place)?.due_event(now, &self.settings));
            if let Some(event) = due {
                self.act_at(now, place, event, Cause::Known);
            }
        }
    }

    fn comes_due(&mut self, now: Instant, id: WorkerId, event: Event) {
        let place = self.processes.find_active(id);
        if event == Event::StartTimeout && self.must_be_ready() {
            return self.act_at(now, place, Event::StartFailed, Cause::Known);
        }
        if event == Event::SlotFreed
            && self.boot_slot_wanted().is_some_and(|at| at <= now)
            && let Some(since) = self.processes.active(id).and_then(Process::since)
        {
            let after = now.saturating_duration_since(since);
            self.note(Note::BootOver { worker: id, after, end: BootEnd::Unseen });
        }
        self.act_at(now, place, event, Cause::Known);
        if event == Event::StartTimeout {
            self.pump_all(now);
        }
    }

    /// The earliest of all deadlines.
    pub(in crate::pool) fn earliest(&self) -> Deadlines {
        let mut deadlines = Deadlines::default();
        // While no boot slot is free, a restart that is due waits for one and not for the clock.
        let slot_free = self.boot_slot_free();
        for process in self.processes.active_ones().chain(self.processes.retiring()) {
            for (at, timer) in process.timers(&self.settings) {
                if timer != Timer::Restart || slot_free {
                    deadlines.lower(at, timer);
                }
            }
        }
        if let Some((at, timer)) = self.boot_timer() {
            deadlines.lower(at, timer);
        }
        for (at, timer) in
            self.recycle_timer().into_iter().chain(self.rollout_timer()).chain(self.close_timer())
        {
            deadlines.lower(at, timer);
        }
        for balancer in self.balancers.values() {
            for (at, timer) in balancer.timers(&self.settings) {
                deadlines.lower(at, timer);
            }
        }
        for lane in self.lanes.values() {
            if let Some(at) = lane.look_at() {
                deadlines.lower(at, Timer::Look);
            }
        }
        deadlines
    }
}

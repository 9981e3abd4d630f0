//! A worker as others see it: a slot with the process that has it, or with a successor. It is read only.

use super::process::Process;
use super::slot::Slot;
use crate::ids::WorkerId;
#[cfg(test)]
use crate::pool::Exit;
use crate::pool::{Settings, State, Timer};
use std::time::Instant;

/// A slot and one process of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worker<'a> {
    slot: &'a Slot,
    process: &'a Process,
}

impl<'a> Worker<'a> {
    pub(in crate::pool) fn new(slot: &'a Slot, process: &'a Process) -> Self {
        Self { slot, process }
    }

    /// The slot and the incarnation of the current or last process; 0 before the first.
    pub(crate) fn id(&self) -> WorkerId {
        self.process.id()
    }

    /// The current state.
    pub(crate) fn state(&self) -> State {
        self.process.state()
    }

    /// The first process of the current incarnation, once known.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    /// When the current process was spawned, or ordered.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.process.since()
    }

    /// When a start that is under way has failed, or counts as done.
    pub(crate) fn start_by(&self, settings: &Settings) -> Option<Instant> {
        self.process.timers(settings).find_map(|(at, timer)| (timer == Timer::StartTimeout).then_some(at))
    }

    /// A process runs in the slot or has been ordered.
    pub(crate) fn is_live(&self) -> bool {
        self.process.is_live()
    }

    /// It is ready, or has had its time to be.
    pub(crate) fn is_running(&self) -> bool {
        self.process.is_running()
    }

    /// It takes the place of a process that hung, and is not running yet.
    #[cfg(test)]
    pub(crate) fn is_replacing(&self) -> bool {
        self.process.health.replacing
    }

    /// It has said that it is about to end.
    pub(crate) fn says_stopping(&self) -> bool {
        self.process.self_report.stopping
    }

    /// It has been told to stop.
    #[cfg(test)]
    pub(crate) fn is_stopping(&self) -> bool {
        matches!(self.process.state(), State::Stopping(_))
    }

    /// It gets no connections because somebody said so.
    pub(crate) fn is_cordoned(&self) -> bool {
        self.slot.cordoned
    }

    /// The slot was scaled away; it is there no longer once its process is gone.
    #[cfg(test)]
    pub(crate) fn is_removed(&self) -> bool {
        self.slot.removed
    }

    /// Restarts left before the worker stays down; `None` is no limit.
    #[cfg(test)]
    pub(crate) fn restarts_left(&self) -> Option<u32> {
        self.slot.backoff.left()
    }

    /// Processes started in the slot after the first.
    pub(crate) fn restarts(&self) -> u64 {
        self.slot.started().saturating_sub(1)
    }

    /// How the last process ended.
    #[cfg(test)]
    pub(crate) fn last_exit(&self) -> Option<Exit> {
        self.slot.last_exit
    }

    /// Connections dispatched to it so far, over all its processes, counting again those that came back.
    pub(crate) fn dispatched(&self) -> u64 {
        self.slot.dispatched_before().saturating_add(self.process.load.dispatched())
    }

    /// Connections that are open in its process, with those given since they were counted; `None` until they were.
    pub(crate) fn open_connections(&self) -> Option<u64> {
        self.process.load.counted()
    }

    /// It has as many connections as it may.
    pub(crate) fn is_full(&self, settings: &Settings) -> bool {
        self.process.load.is_full(settings)
    }
}

//! A rollout under way, what it is for and how it can end. Plain data; `rolling` moves it on.

#[cfg(any(test, debug_assertions))]
use super::pool::Pool;
use super::{Deadline, Exit, Worn};
use crate::ids::{BalancerId, WorkerId};
use std::collections::VecDeque;
use std::time::Duration;

/// A rollout under way.
#[derive(Clone, Debug)]
pub struct Rollout {
    pub(super) purpose: Purpose,
    /// What slots are brought to.
    pub(super) version: u32,
    /// Slots whose turn is yet to come, and what their new processes are made of.
    pub(super) todo: VecDeque<(u32, u32)>,
    pub(super) steps: Vec<Step>,
    /// Slots that have a new process which has proved itself, and what they had before.
    pub(super) done: Vec<(u32, u32)>,
    pub(super) failed: Option<Failed>,
    /// The shell can spawn the version.
    pub(super) prepared: bool,
}

/// What a rollout is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody asked, and is told of the end under this number.
    Reload { ticket: u64 },
    /// A reload failed in this way, and those that it had replaced go back.
    Rollback { ticket: u64, failed: Failed },
    /// The process of this slot is worn out.
    Replace { slot: u32, worn: Worn },
}

/// Why a rollout failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The new process ended.
    Exited { worker: WorkerId, exit: Exit },
    /// It was not ready in time.
    NotReady { worker: WorkerId, after: Duration },
    /// It hung.
    Hung { worker: WorkerId },
    /// No process came of the order to spawn.
    SpawnFailed { worker: WorkerId, error: String },
    /// The new version cannot be run at all.
    Unfit { error: String },
}

/// How a reload ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// So many workers have a new process.
    Done { workers: u32 },
    /// It stopped; so many workers had a new process by then, and have it still unless they were `rolled_back`.
    Failed { failed: Failed, replaced: u32, rolled_back: bool },
    /// A newer one took its place before it began.
    Superseded,
    /// The cluster stops, or does not run.
    Stopped,
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) slot: u32,
    /// What the slot had before, and has again if this comes to nothing.
    pub(super) before: u32,
    /// The new process.
    pub(super) process: WorkerId,
    /// Where the old one listened.
    pub(super) wanted: Vec<BalancerId>,
    pub(super) stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// There is no room for two: the old one, `process` until then, ends first.
    Clearing,
    /// The new one starts.
    Coming,
    /// It is ready, and is to stay well until then.
    Proving(Deadline),
    /// It has the slot, and the old one drains.
    Draining(WorkerId),
}

impl Rollout {
    /// What it is for.
    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// What slots are brought to.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Slots that have their new process, that are at it, and that wait.
    pub fn progress(&self) -> (usize, usize, usize) {
        (self.done.len(), self.steps.len(), self.todo.len())
    }

    /// Panics with a sentence when something is not as it must be.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self, pool: &Pool) {
        let surge = pool.settings.max_surge as usize;
        let mut slots: Vec<_> =
            self.steps.iter().map(|step| step.slot).chain(self.todo.iter().map(|(slot, _)| *slot)).collect();
        slots.sort_unstable();
        assert!(slots.windows(2).all(|pair| pair[0] != pair[1]), "a slot is replaced twice: {self:?}");
        let draining = self.steps.iter().filter(|step| matches!(step.stage, Stage::Draining(_))).count();
        let coming = self.steps.iter().filter(|step| pool.is_successor(step.process)).count();
        assert!(coming + draining <= surge, "{coming} come and {draining} drain: {self:?}");
        assert!(self.failed.is_none() || self.todo.is_empty(), "a failed rollout goes on: {self:?}");
    }

    pub(super) fn concerns(&self, id: WorkerId) -> bool {
        let at_risk = |step: &Step| matches!(step.stage, Stage::Coming | Stage::Proving(_));
        self.steps.iter().any(|step| step.process == id && at_risk(step))
    }
}

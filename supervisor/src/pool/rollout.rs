//! A rollout under way, what it is for and how it can end. Plain data; `rolling` moves it on.

use super::boot::Wanted;
use super::{Deadline, Exit, RecycleReason};
use crate::ids::{BalancerId, WorkerId};
use std::collections::VecDeque;
use std::time::Duration;

/// A rollout under way.
#[derive(Clone, Debug)]
pub(crate) struct Rollout {
    pub(super) purpose: Purpose,
    /// What slots are brought to.
    pub(super) version: u32,
    /// How many slots it is for.
    pub(super) total: u32,
    /// Slots whose turn is yet to come, and what their new processes are made of.
    pub(super) todo: VecDeque<(u32, u32)>,
    pub(super) steps: Vec<Step>,
    /// Slots that have a new process which has proved itself, and what they had before.
    pub(super) done: Vec<(u32, u32)>,
    /// Addresses on which the old processes listened and new ones do not.
    pub(super) dropped: Vec<BalancerId>,
    pub(super) failed: Option<Failed>,
    /// The shell can spawn the version.
    pub(super) prepared: bool,
}

/// What a rollout is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Somebody asked, and is told of the end under this number.
    Reload { ticket: u64 },
    /// A reload failed in this way, and those that it had replaced go back.
    Rollback { ticket: u64, failed: Failed },
    /// The process of this slot has served for long enough.
    Replace { slot: u32, reason: RecycleReason },
}

/// Why a rollout failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// The new process ended.
    Exited { worker: WorkerId, exit: Exit },
    /// It was not ready in time.
    NotReady { worker: WorkerId, after: Duration },
    /// It hung.
    Hung { worker: WorkerId },
    /// No process came of the order to spawn.
    NotSpawned { worker: WorkerId, error: String },
    /// The new version cannot be run at all.
    Unfit { error: String },
    /// Somebody ended it.
    Aborted,
}

/// How a reload ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reloaded {
    /// So many workers have a new process. On the addresses in `dropped` the old ones listened, and nobody does now.
    Done { workers: u32, dropped: Vec<BalancerId> },
    /// It stopped; so many workers had a new process by then, and have it still unless they were `rolled_back`.
    Failed { failed: Failed, replaced: u32, rolled_back: bool },
    /// A newer one took its place before it was done.
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
    /// Where the old one listens, or did last.
    pub(super) wanted: Vec<Wanted>,
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

/// How many slots have their new process, are getting it, and wait for their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub done: usize,
    pub under_way: usize,
    pub waiting: usize,
    /// Of those that are done, how many have their old process too, which has yet to finish what it has.
    pub draining: usize,
}

impl Step {
    /// The new process starts, or has yet to listen everywhere.
    pub(super) fn is_coming(&self) -> bool {
        self.stage == Stage::Coming
    }

    /// It has the slot, and the old one drains.
    pub(super) fn is_draining(&self) -> bool {
        matches!(self.stage, Stage::Draining(_))
    }
}

impl Rollout {
    /// What it is for.
    pub(crate) fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// What slots are brought to.
    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    /// How far it is. Each slot counts once.
    pub(crate) fn progress(&self) -> Progress {
        let draining = self.steps.iter().filter(|step| step.is_draining()).count();
        let (done, under_way) = (self.done.len(), self.steps.len() - draining);
        Progress { done, under_way, waiting: self.todo.len(), draining }
    }

    pub(super) fn concerns(&self, id: WorkerId) -> bool {
        let at_risk = |step: &Step| matches!(step.stage, Stage::Coming | Stage::Proving(_));
        self.steps.iter().any(|step| step.process == id && at_risk(step))
    }
}

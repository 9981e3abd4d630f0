//! A rollout under way: which slots it is for, and how far each of them is. Plain data; `rolling` moves it on.

use crate::ids::{BalancerId, WorkerId};
use crate::pool::vitals::boot::Wanted;
use crate::pool::{Deadline, Failed, Progress, Purpose};
use std::collections::VecDeque;

/// A reload that begins when nothing else is rolled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) struct NextReload {
    pub(in crate::pool) ticket: u64,
    /// Each old process ends before the new one starts.
    pub(in crate::pool) in_place: bool,
}

/// A rollout under way.
#[derive(Clone, Debug)]
pub(crate) struct Rollout {
    pub(in crate::pool) purpose: Purpose,
    /// What slots are brought to.
    pub(in crate::pool) version: u32,
    /// How many slots it is for.
    pub(in crate::pool) total: u32,
    /// Slots whose turn is yet to come, and what their new processes are made of.
    pub(in crate::pool) todo: VecDeque<(u32, u32)>,
    pub(in crate::pool) steps: Vec<Step>,
    /// Slots that have a new process which has proved itself, and what they had before.
    pub(in crate::pool) done: Vec<(u32, u32)>,
    /// Addresses on which the old processes listened and new ones do not.
    pub(in crate::pool) dropped: Vec<BalancerId>,
    pub(in crate::pool) failed: Option<Failed>,
    /// Each old process ends before the new one starts.
    pub(in crate::pool) in_place: bool,
    /// The shell can spawn the version, and whoever is asked has allowed it.
    pub(in crate::pool) prepared: bool,
}

#[derive(Clone, Debug)]
pub(in crate::pool) struct Step {
    pub(in crate::pool) slot: u32,
    /// What the slot had before, and has again if this comes to nothing.
    pub(in crate::pool) before: u32,
    /// The new process.
    pub(in crate::pool) process: WorkerId,
    /// Where the old one listens, or did last.
    pub(in crate::pool) wanted: Vec<Wanted>,
    pub(in crate::pool) stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Stage {
    /// There is no room for two: the old one, `process` until then, ends first.
    Clearing,
    /// The new one starts.
    Coming,
    /// It is ready, and is to stay well until then.
    Proving(Deadline),
    /// It has the slot, and the old one drains.
    Draining(WorkerId),
}

impl Step {
    /// The new process starts, or has yet to listen everywhere.
    pub(in crate::pool) fn is_coming(&self) -> bool {
        self.stage == Stage::Coming
    }

    /// It has the slot, and the old one drains.
    pub(in crate::pool) fn is_draining(&self) -> bool {
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

    pub(in crate::pool) fn concerns(&self, id: WorkerId) -> bool {
        let at_risk = |step: &Step| matches!(step.stage, Stage::Coming | Stage::Proving(_));
        self.steps.iter().any(|step| step.process == id && at_risk(step))
    }
}

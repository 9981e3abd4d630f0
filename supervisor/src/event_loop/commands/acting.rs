//! What each command does: it becomes inputs of the core, for the workers that are meant. What then happens to these is the core's to say.

use super::super::Shell;
use super::super::os::Os;
use super::begun::{Begun, workers};
use super::configuring::Changed;
use super::waits::Goal;
use crate::api::{Action, Failure, ScaleTo, Target};
use crate::config::MAX_WORKERS;
use crate::pool::{self, Input};
use nix::sys::signal::Signal;

impl<O: Os> Shell<O> {
    /// Carries an action out; returns what it has begun, where that takes time.
    pub(super) fn act(&mut self, action: Action) -> Result<Option<Begun>, Failure> {
        use pool::WorkerCommand as Do;
        Ok(match action {
            Action::Inspect
            | Action::Events
            | Action::Logs { .. }
            | Action::Flush
            | Action::Configure { check: true, .. } => None,
            Action::Configure { arguments, variables, check: false } => {
                match self.configure(arguments, variables)? {
                    Changed::Nothing | Changed::AtOnce => None,
                    Changed::Scaled(count) => {
                        let done = format!("changed: {} run", workers(count as usize));
                        Some(Begun::new(Goal::Count(count), "changing", done))
                    }
                    Changed::Reloads { ticket: reload } => {
                        let goal = Goal::Changed { reload };
                        Some(Begun::new(goal, "changing by a reload", "changed"))
                    }
                }
            }
            Action::Stop { target: Target::Cluster } => {
                self.stop_by_command();
                Some(Begun::new(Goal::Rest, "stopping", "stopped"))
            }
            Action::ForceStop { target: Target::Cluster } => {
                self.kill_by_command();
                Some(Begun::new(Goal::Rest, "killing what runs", "stopped"))
            }
            Action::Start { target } => {
                let slots = self.command(&target, Do::Start)?;
                let (count, done) = (slots.len(), if slots.len() == 1 { "runs" } else { "run" });
                let goal = Goal::Running(slots.into_iter().map(|slot| (slot, 0)).collect());
                Some(Begun::with_workers(goal, &target, count, "starting", done))
            }
            Action::Restart { target } => {
                let before = self.incarnations(&target)?;
                self.command(&target, Do::Restart)?;
                let count = before.len();
                Some(Begun::with_workers(Goal::Running(before), &target, count, "restarting", "restarted"))
            }
            Action::Stop { target } => Some(self.take_down(&target, Do::Stop, "stopping")?),
            Action::ForceStop { target } => Some(self.take_down(&target, Do::ForceStop, "killing")?),
            Action::Dump { target } => Some(self.take_down(&target, Do::Dump, "sending SIGABRT to")?),
            Action::HangUp { target } => self.command(&target, Do::HangUp).map(|_| None)?,
            Action::Debug { target } => self.command(&target, Do::Debug).map(|_| None)?,
            Action::Signal { target, signal } => {
                Signal::try_from(signal)
                    .map_err(|_| Failure::Refused { what: format!("there is no signal {signal}") })?;
                self.command(&target, Do::Signal(signal)).map(|_| None)?
            }
            Action::Cordon { target } => self.command(&target, Do::Cordon).map(|_| None)?,
            Action::Uncordon { target } => self.command(&target, Do::Uncordon).map(|_| None)?,
            Action::Reopen => self.reopen_log().map(|()| None)?,
            Action::Reload => Some(Begun::new(Goal::Reload(self.reload()), "reloading", "reloaded")),
            Action::AbortReload => {
                let goal = Goal::Aborted(self.abort_reload()?);
                Some(Begun::new(goal, "aborting the reload", "the reload was aborted"))
            }
            Action::Scale { workers: to } => {
                let count = self.scale(to)?;
                let all = workers(count as usize);
                let done = format!("{all} {}", if count == 1 { "runs" } else { "run" });
                Some(Begun::new(Goal::Count(count), format!("scaling to {all}"), done))
            }
        })
    }

    fn take_down(
        &mut self,
        target: &Target,
        command: pool::WorkerCommand,
        verb: &str,
    ) -> Result<Begun, Failure> {
        let before = self.incarnations(target)?;
        self.command(target, command)?;
        let count = before.len();
        Ok(Begun::with_workers(Goal::Down(before), target, count, verb, "stopped"))
    }

    /// Tells every worker that is meant; returns their slots.
    pub(super) fn command(
        &mut self,
        target: &Target,
        command: pool::WorkerCommand,
    ) -> Result<Vec<u32>, Failure> {
        let slots = self.slots(target)?;
        for &slot in &slots {
            self.input(Input::Command { slot, command });
        }
        Ok(slots)
    }

    pub(super) fn slots(&self, target: &Target) -> Result<Vec<u32>, Failure> {
        let workers = || self.pool.workers();
        match target {
            Target::Cluster => Ok(workers().map(|worker| worker.id().slot).collect()),
            Target::Worker(id) => {
                let named = |worker: &pool::Worker<'_>| self.logical_id(worker.id()) == id;
                let known = || {
                    let ids: Vec<&str> = workers().map(|worker| self.logical_id(worker.id())).collect();
                    ids.join(", ")
                };
                let found = workers().find(named).map(|worker| vec![worker.id().slot]);
                found.ok_or_else(|| Failure::NoSuchWorker { id: id.clone(), known: known() })
            }
        }
    }

    fn incarnations(&self, target: &Target) -> Result<Vec<(u32, u32)>, Failure> {
        let slots = self.slots(target)?;
        let workers = self.pool.workers().map(|worker| worker.id());
        Ok(workers.filter(|id| slots.contains(&id.slot)).map(|id| (id.slot, id.incarnation)).collect())
    }

    /// Changes the number of workers; returns the new one.
    pub(super) fn scale(&mut self, to: ScaleTo) -> Result<u32, Failure> {
        let now = self.pool.wanted_workers();
        let wanted = match to {
            ScaleTo::To(count) => Some(count),
            ScaleTo::By(change) => now.checked_add_signed(change),
        };
        let Some(count) = wanted.filter(|count| (1..=MAX_WORKERS).contains(count)) else {
            let what = format!("a cluster has 1 to {MAX_WORKERS} workers, and this one {now}");
            return Err(Failure::Refused { what });
        };
        while self.launching.ids.len() < count as usize {
            let unused = (0u32..).map(|id| id.to_string()).find(|id| !self.launching.ids.contains(id));
            self.launching.ids.extend(unused);
        }
        self.input(Input::Scale { workers: count });
        Ok(count)
    }
}

//! Rolling reloads as the shell sees them: what the next version is made of, who waits for the end, and the words for how
//! it went. The core decides whose turn it is.

use super::Shell;
use super::notes::{Span, ending};
use crate::api::{Event, Failure, Reply};
use crate::config::OnSupervisorDeath;
use crate::ids::WorkerId;
use crate::io::recipe::Recipe;
use crate::pool::{Failed, Input, Purpose, Reloaded, Worn};
use log::Level;
use std::collections::HashMap;

/// Reloads that were asked for.
#[derive(Debug, Default)]
pub(super) struct Reloads {
    last: u64,
    /// How those ended of which somebody may yet want to know.
    pub(super) ended: HashMap<u64, Result<Reply, Failure>>,
}

impl Shell {
    /// Asks the core for a new process for every worker; returns the number under which it tells the end.
    pub(super) fn reload(&mut self) -> u64 {
        self.reloads.last += 1;
        let ticket = self.reloads.last;
        self.input(Input::Reload { ticket });
        ticket
    }

    /// Reads anew what a worker is made of.
    pub(super) fn prepare(&mut self, ticket: u64, version: u32) {
        let input = match Recipe::read(&self.config, self.home.as_deref()) {
            Ok(recipe) => {
                let used = self.pool.versions_in_use();
                self.templates.retain(|version, _| used.contains(version));
                match self.templates.values().next().map(|old| old.with(recipe)) {
                    Some(template) => {
                        self.templates.insert(version, template);
                        Input::Prepared { ticket }
                    }
                    // The version in use is never dropped.
                    None => Input::Unfit { ticket, error: "there is nothing to make it after".to_owned() },
                }
            }
            Err(error) => Input::Unfit { ticket, error: error.to_string() },
        };
        self.pool.handle(self.now, input);
    }

    /// Whether a process of this version is tried out now, so that its last words will be wanted if it fails. So are the
    /// first ones of a cluster in the background without a log; but not where workers outlive the supervisor, for who
    /// writes to a pipe that nobody reads any more is ended by SIGPIPE.
    pub(super) fn is_on_trial(&self, version: u32) -> bool {
        let reloads = self.pool.rollout().is_some_and(|rollout| {
            matches!(rollout.purpose(), Purpose::Reload { .. }) && rollout.version() == version
        });
        reloads
            || self.config.rolling.on_supervisor_death == OnSupervisorDeath::Stop
                && self.detached.is_only_reader()
    }

    /// Tells whoever waits, and whoever follows.
    pub(super) fn reloaded(&mut self, ticket: u64, reloaded: &Reloaded) {
        self.is_news = true;
        let mut stderr = Vec::new();
        if let Reloaded::Failed { failed, .. } = reloaded
            && let Some(worker) = culprit(failed)
        {
            stderr = self.outputs.last_lines(worker, self.poll.registry());
        }
        let text = describe(self, reloaded).1;
        let (outcome, cause, answer) = match reloaded {
            Reloaded::Done { .. } => ("done", None, Ok(Reply::Done)),
            Reloaded::Superseded => {
                let what = "a newer reload has taken the place of this one".to_owned();
                ("superseded", None, Err(Failure::Refused { what }))
            }
            Reloaded::Stopped => ("stopped", None, Err(Failure::NotRunning)),
            Reloaded::Failed { .. } => {
                let failure = Failure::ReloadFailed { what: text.clone(), stderr: stderr.clone() };
                ("failed", Some(text), Err(failure))
            }
        };
        self.publish(&Event::Reload { outcome: outcome.to_owned(), cause, stderr });
        // Those who wait are answered in this turn.
        self.reloads.ended.retain(|older, _| older + 16 > ticket);
        self.reloads.ended.insert(ticket, answer);
    }

    /// How far the reload is, for who waits.
    pub(super) fn reload_progress(&self) -> String {
        match self.pool.rollout().map(|rollout| (rollout.purpose(), rollout.progress())) {
            Some((Purpose::Reload { .. } | Purpose::Rollback { .. }, (done, now, todo))) => {
                format!("{done} of {} workers have a new process", done.max(done + now + todo))
            }
            Some((Purpose::Replace { .. }, _)) => "a worker is being replaced first".to_owned(),
            None => "the reload has not begun".to_owned(),
        }
    }
}

/// How a reload ended, and how loud that is.
pub(super) fn describe(shell: &Shell, reloaded: &Reloaded) -> (Level, String) {
    match reloaded {
        Reloaded::Done { workers } => {
            (Level::Info, format!("reload: done, {workers} workers have a new process"))
        }
        Reloaded::Failed { failed, replaced: 0, .. } => {
            let cause = cause(shell, failed);
            (Level::Error, format!("reload failed: {cause}; the old processes go on"))
        }
        Reloaded::Failed { failed, replaced, rolled_back: false } => {
            let cause = cause(shell, failed);
            let kept = format!("{replaced} workers keep their new process, the other old ones go on");
            (Level::Error, format!("reload failed: {cause}; {kept}"))
        }
        Reloaded::Failed { failed, replaced, rolled_back: true } => {
            let cause = cause(shell, failed);
            (
                Level::Error,
                format!("reload failed: {cause}; the {replaced} workers that were replaced are back"),
            )
        }
        Reloaded::Superseded => (Level::Info, "reload: a newer one takes its place".to_owned()),
        Reloaded::Stopped => (Level::Info, "reload: none, the cluster stops".to_owned()),
    }
}

/// Why a new process came to nothing.
pub(super) fn cause(shell: &Shell, failed: &Failed) -> String {
    let name = |worker: &WorkerId| shell.logical_id(*worker);
    match failed {
        Failed::Exited { worker, exit } => {
            format!("the new worker {} exited: {}", name(worker), ending(exit))
        }
        Failed::NotReady { worker, after } => {
            format!("the new worker {} was not ready within {}", name(worker), Span(*after))
        }
        Failed::Hung { worker } => format!("the new worker {} hung", name(worker)),
        Failed::SpawnFailed { worker, error } => {
            format!("the new worker {} could not be started: {error}", name(worker))
        }
        Failed::Unfit { error } => error.clone(),
    }
}

/// The process that came to nothing.
pub(super) fn culprit(failed: &Failed) -> Option<WorkerId> {
    match failed {
        Failed::Exited { worker, .. }
        | Failed::NotReady { worker, .. }
        | Failed::Hung { worker }
        | Failed::SpawnFailed { worker, .. } => Some(*worker),
        Failed::Unfit { .. } => None,
    }
}

/// What a rollout is for, for people.
pub(super) fn purpose(purpose: &Purpose) -> String {
    match purpose {
        Purpose::Reload { .. } => "reload".to_owned(),
        Purpose::Rollback { .. } => "rollback".to_owned(),
        Purpose::Replace { worn: what, .. } => worn(what),
    }
}

/// Why a process that works is replaced.
pub(super) fn worn(worn: &Worn) -> String {
    match worn {
        Worn::Memory { bytes, limit } => {
            format!("memory: it holds {} MB, the limit is {} MB", bytes >> 20, limit >> 20)
        }
        Worn::Lifetime { after } => format!("lifetime: it is {} old", Span(*after)),
        Worn::Connections { given } => format!("connections: it was given {given}"),
    }
}

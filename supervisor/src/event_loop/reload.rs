//! Rolling reloads as the shell sees them: what the next version is made of, who waits for the end, and the words for how
//! it went. The core decides whose turn it is.

use super::Shell;
use super::notes::{Span, ending};
use crate::api::{Event, Failure, LastReload, Reply};
use crate::config::OnSupervisorDeath;
use crate::ids::{BalancerId, WorkerId};
use crate::io::recipe::Recipe;
use crate::pool::{Failed, Input, Measure, Progress, Purpose, RecycleReason, Reloaded};
use log::Level;
use std::collections::HashMap;

/// So many addresses are remembered.
const MOST_DROPPED: usize = 256;

/// Reloads that were asked for.
#[derive(Debug, Default)]
pub(super) struct Reloads {
    last: u64,
    /// How those ended of which somebody may yet want to know.
    pub(super) ended: HashMap<u64, Result<Reply, Failure>>,
    /// How the last one ended that no newer one took the place of.
    pub(super) latest: Option<LastReload>,
    /// Addresses that new processes do not listen on, oldest first: they may be closed by the time that all is told.
    dropped: Vec<(BalancerId, String)>,
}

impl Shell {
    /// Asks the core for a new process for every worker; returns the number under which it tells the end.
    pub(super) fn reload(&mut self) -> u64 {
        self.reloads.last += 1;
        let ticket = self.reloads.last;
        self.input(Input::Reload { ticket });
        ticket
    }

    /// Ends the reload that is under way; returns its number.
    pub(super) fn abort_reload(&mut self) -> Result<u64, Failure> {
        let ticket = match self.pool.rollout().map(|rollout| rollout.purpose()) {
            Some(Purpose::Reload { ticket } | Purpose::Rollback { ticket, .. }) => *ticket,
            Some(Purpose::Replace { .. }) | None => {
                return Err(Failure::Refused { what: "no reload is under way".to_owned() });
            }
        };
        self.input(Input::AbortReload);
        Ok(ticket)
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
            || self.config.settings.stop.on_supervisor_death == OnSupervisorDeath::Stop
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
        let failure = |what: &str| Failure::ReloadFailed { what: what.to_owned(), stderr: stderr.clone() };
        let (outcome, cause, answer) = match reloaded {
            Reloaded::Done { workers, dropped } => {
                let told = format!("{}: reloaded: {}", self.config.name, done(self, *workers, dropped));
                ("done", (!dropped.is_empty()).then(|| text.clone()), Ok(Reply::Told(told)))
            }
            Reloaded::Superseded => {
                ("superseded", None, Err(failure("reload: a newer reload has taken the place of this one")))
            }
            Reloaded::Stopped => ("stopped", None, Err(Failure::NotRunning)),
            Reloaded::Failed { failed: Failed::Aborted, .. } => {
                ("aborted", Some(text.clone()), Err(failure(&text)))
            }
            Reloaded::Failed { .. } => ("failed", Some(text.clone()), Err(failure(&text))),
        };
        if matches!(reloaded, Reloaded::Done { .. } | Reloaded::Failed { .. }) {
            let ended_at = self.epoch.wall(self.now);
            let (outcome, cause) = (outcome.to_owned(), cause.clone());
            self.reloads.latest = Some(LastReload { ended_at, outcome, cause });
        }
        self.publish(&Event::Reload { outcome: outcome.to_owned(), cause, stderr });
        // Those who wait are answered in this turn.
        self.reloads.ended.retain(|older, _| older + 16 > ticket);
        self.reloads.ended.insert(ticket, answer);
    }

    /// How far the reload is, for who waits.
    pub(super) fn reload_progress(&self) -> String {
        let Some(rollout) = self.pool.rollout() else { return "the reload has not begun".to_owned() };
        let Progress { done, under_way, waiting, draining } = rollout.progress();
        let all = done + under_way + waiting;
        let mut told = match rollout.purpose() {
            Purpose::Rollback { .. } => format!("{done} of {all} workers are back"),
            Purpose::Reload { .. } | Purpose::Replace { .. } => {
                format!("{done} of {all} workers have a new process")
            }
        };
        for (worker, balancer) in self.pool.awaited() {
            let (worker, address) = (self.logical_id(worker), self.address_of(balancer));
            told += &format!("; that of worker {worker} does not listen on {address} yet");
        }
        if draining > 0 {
            told += "; old processes have yet to finish what they have";
        }
        told
    }

    /// Addresses, for a sentence.
    pub(super) fn addresses(&self, balancers: &[BalancerId]) -> String {
        let dropped = |id| self.reloads.dropped.iter().find(|(dropped, _)| *dropped == id);
        let address = |id| dropped(id).map_or_else(|| self.address_of(id), |(_, address)| address.clone());
        balancers.iter().map(|id| address(*id)).collect::<Vec<_>>().join(", ")
    }

    /// Keeps what these addresses are called until a reload tells of them.
    pub(super) fn remember_dropped(&mut self, balancers: &[BalancerId]) {
        let named: Vec<_> = balancers.iter().map(|id| (*id, self.address_of(*id))).collect();
        let dropped = &mut self.reloads.dropped;
        dropped.retain(|(id, _)| !balancers.contains(id));
        dropped.extend(named);
        let extra = dropped.len().saturating_sub(MOST_DROPPED);
        dropped.drain(..extra);
    }
}

/// How a reload ended, and how loud that is.
pub(super) fn describe(shell: &Shell, reloaded: &Reloaded) -> (Level, String) {
    match reloaded {
        Reloaded::Done { workers, dropped } => {
            let level = if dropped.is_empty() { Level::Info } else { Level::Warn };
            (level, format!("reload: done, {}", done(shell, *workers, dropped)))
        }
        Reloaded::Failed { failed, replaced, rolled_back } => {
            let (level, why) = match failed {
                Failed::Aborted => (Level::Warn, "reload aborted".to_owned()),
                failed => (Level::Error, format!("reload failed: {}", cause(shell, failed))),
            };
            let left = match (replaced, rolled_back) {
                (0, _) => "the old processes go on".to_owned(),
                (_, true) => format!("the {replaced} workers that were replaced are back"),
                (_, false) => format!("{replaced} workers keep their new process, the other old ones go on"),
            };
            (level, format!("{why}; {left}"))
        }
        Reloaded::Superseded => (Level::Info, "reload: a newer one takes its place".to_owned()),
        Reloaded::Stopped => (Level::Info, "reload: none, the cluster stops".to_owned()),
    }
}

fn done(shell: &Shell, workers: u32, dropped: &[BalancerId]) -> String {
    let done = format!("{workers} workers have a new process");
    match dropped.is_empty() {
        true => done,
        false => {
            let addresses = shell.addresses(dropped);
            format!("{done}; nobody listens on {addresses} any more, as the old ones did")
        }
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
        Failed::Aborted => "it was aborted".to_owned(),
    }
}

/// The process that came to nothing.
pub(super) fn culprit(failed: &Failed) -> Option<WorkerId> {
    match failed {
        Failed::Exited { worker, .. }
        | Failed::NotReady { worker, .. }
        | Failed::Hung { worker }
        | Failed::SpawnFailed { worker, .. } => Some(*worker),
        Failed::Unfit { .. } | Failed::Aborted => None,
    }
}

/// What a rollout is for, for people.
pub(super) fn purpose(purpose: &Purpose) -> String {
    match purpose {
        Purpose::Reload { .. } => "reload".to_owned(),
        Purpose::Rollback { .. } => "rollback".to_owned(),
        Purpose::Replace { reason, .. } => recycle_reason(reason),
    }
}

/// Why a process that works is replaced.
pub(super) fn recycle_reason(reason: &RecycleReason) -> String {
    match reason {
        RecycleReason::Memory { bytes, limit, measure } => {
            let how = match measure {
                Measure::Proportional => "",
                Measure::Resident => ", all that it shares included, as its part of that cannot be read",
            };
            format!("memory: it holds {} MB{how}; the limit is {} MB", bytes >> 20, limit >> 20)
        }
        RecycleReason::Lifetime { after } => format!("lifetime: it is {} old", Span(*after)),
        RecycleReason::Connections { given } => format!("connections: it was given {given}"),
    }
}

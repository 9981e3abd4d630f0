//! Rolling reloads as the shell sees them: what the next version is made of, and who waits for the end. The core decides whose turn it
//! is.

use super::super::Shell;
use super::super::os::Os;
use super::super::report::last_word;
use super::super::report::rollouts::{describe, done};
use crate::api::{Event, Failure, LastReload, Reply};
use crate::config::{Config, OnSupervisorDeath};
use crate::ids::{BalancerId, WorkerId};
use crate::io::launch::interception::{How, Interception};
use crate::io::launch::launch_spec::LaunchSpec;
use crate::io::launch::spawn::{Template, hook};
use crate::io::launch::trial;
use crate::io::watch::file_watcher::FileWatcher;
use crate::pool::{Failed, Input, Progress, Purpose, Reloaded, Timetable};
use std::collections::HashMap;
use std::time::Instant;

/// So many addresses are remembered.
const MOST_DROPPED: usize = 256;

/// Reloads that were asked for.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Reloads {
    pub(in crate::event_loop) last: u64,
    /// Where files are watched: each change asks for one.
    pub(super) file_watcher: Option<FileWatcher>,
    /// What is done by the wall clock, and when that is looked at.
    pub(in crate::event_loop) timetable: Timetable,
    pub(in crate::event_loop) look_at: Option<Instant>,
    /// How those ended of which somebody may yet want to know.
    pub(in crate::event_loop) ended: HashMap<u64, Result<Reply, Failure>>,
    /// How the last one ended that no newer one took the place of.
    pub(in crate::event_loop) latest: Option<LastReload>,
    /// Addresses that new processes do not listen on, oldest first: they may be closed by the time that all is told.
    dropped: Vec<(BalancerId, String)>,
}

impl Reloads {
    pub(in crate::event_loop) fn new(file_watcher: Option<FileWatcher>) -> Self {
        Self { file_watcher, ..Self::default() }
    }

    /// The number of the reload that is asked for next.
    pub(in crate::event_loop) fn next(&self) -> u64 {
        self.last + 1
    }
}

impl<O: Os> Shell<O> {
    /// Asks the core for a new process for every worker; returns the number under which it tells the end.
    pub(in crate::event_loop) fn reload(&mut self) -> u64 {
        self.replace_all(false)
    }

    /// The same, but each old process ends before the new one starts.
    pub(super) fn restart_in_turn(&mut self) -> u64 {
        self.replace_all(true)
    }

    fn replace_all(&mut self, in_place: bool) -> u64 {
        let ticket = self.reloads.next();
        self.reloads.last = ticket;
        self.reports.notifier.reloading(self.now);
        self.input(Input::Reload { ticket, in_place });
        ticket
    }

    /// Ends the reload that is under way; returns its number.
    pub(in crate::event_loop) fn abort_reload(&mut self) -> Result<u64, Failure> {
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
    pub(in crate::event_loop) fn prepare(&mut self, ticket: u64, version: u32) {
        let config = self.config.clone();
        let input = match self.read_launch_spec(&config, false) {
            Ok(launch_spec) => {
                let used = self.pool.versions_in_use();
                self.launching.templates.retain(|version, _| used.contains(version));
                match self.launching.templates.values().next() {
                    Some(old) if old.launch_spec.interception.how != launch_spec.interception.how => {
                        let error = changed(old.launch_spec.interception, launch_spec.interception);
                        Input::Unfit { ticket, error }
                    }
                    Some(old) => {
                        let template = Template {
                            launch_spec,
                            command: self.config.argv(),
                            environment: Template::environment_of(&self.config),
                            variables: self.configuring.variables(),
                            ..old.clone()
                        };
                        self.launching.templates.insert(version, template);
                        Input::Prepared { ticket }
                    }
                    // The version in use is never dropped.
                    None => Input::Unfit { ticket, error: "there is nothing to make it after".to_owned() },
                }
            }
            Err(error) => Input::Unfit { ticket, error },
        };
        self.pool.handle(self.now, input);
    }

    /// What a version with this configuration is made of, if workers of it could be started. Unless it `is_checked` only, their control
    /// groups are made.
    pub(in crate::event_loop) fn read_launch_spec(
        &mut self,
        config: &Config,
        is_checked: bool,
    ) -> Result<LaunchSpec, String> {
        let spec = LaunchSpec::read(config, self.launching.home.as_deref());
        let mut spec = spec.map_err(|error| error.to_string())?;
        hook::check(config, &spec).map_err(|error| error.to_string())?;
        if !is_checked {
            spec.confinement.divide(config.handle_signals).map_err(|error| error.to_string())?;
        }
        let needs_library = spec.interception.how == How::Preload && !spec.confinement.is_empty();
        let library = needs_library.then(|| self.os.library(&mut self.launching.thunk)).transpose();
        let library = library.map_err(|error| error.to_string())?;
        trial::run(&spec, library).map_err(|error| error.to_string())?;
        Ok(spec)
    }

    /// Whether a process of this version is tried out now, so that its last words will be wanted if it fails. So are the
    /// first ones of a cluster in the background without a log; but not where workers outlive the supervisor, for who
    /// writes to a pipe that nobody reads any more is ended by SIGPIPE.
    pub(in crate::event_loop) fn is_on_trial(&self, version: u32) -> bool {
        let reloads = self.pool.rollout().is_some_and(|rollout| {
            matches!(rollout.purpose(), Purpose::Reload { .. }) && rollout.version() == version
        });
        reloads
            || self.config.settings.stop.on_supervisor_death == OnSupervisorDeath::Stop
                && self.reports.detached.is_only_reader()
    }

    /// Tells whoever waits, and whoever follows.
    pub(in crate::event_loop) fn reloaded(&mut self, ticket: u64, reloaded: &Reloaded) {
        self.reports.is_news = true;
        self.settle_change(ticket, reloaded);
        if ticket == self.reloads.last {
            self.reports.notifier.reloaded(self.now);
        }
        let mut stderr = Vec::new();
        if let Reloaded::Failed { failed, .. } = reloaded
            && let Some(worker) = culprit(failed)
        {
            stderr = self.outputs.last_lines(worker, self.poll.registry());
        }
        if let Reloaded::Failed { failed: Failed::Unfit { .. }, .. } = reloaded {
            stderr = self.hook_commands.take_last_lines();
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
            let ended_at = self.wall_clock.wall(self.now);
            // A hook's last line is in the text already.
            let is_hook = matches!(reloaded, Reloaded::Failed { failed: Failed::Unfit { .. }, .. });
            let wrote = if is_hook { String::new() } else { last_word::wrote(&stderr) };
            let (outcome, cause) = (outcome.to_owned(), cause.clone().map(|cause| cause + &wrote));
            self.reloads.latest = Some(LastReload { ended_at, outcome, cause });
        }
        self.publish(&Event::Reload { outcome: outcome.to_owned(), cause, stderr });
        // Those who wait are answered in this turn.
        self.reloads.ended.retain(|older, _| older + 16 > ticket);
        self.reloads.ended.insert(ticket, answer);
    }

    /// How far the reload is, for who waits.
    pub(in crate::event_loop) fn reload_progress(&self) -> String {
        let Some(rollout) = self.pool.rollout() else { return "the reload has not begun".to_owned() };
        if let Some(what) = self.hook_commands.holds_up() {
            return what;
        }
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
    pub(in crate::event_loop) fn addresses(&self, balancers: &[BalancerId]) -> String {
        let dropped = |id| self.reloads.dropped.iter().find(|(dropped, _)| *dropped == id);
        let address = |id| dropped(id).map_or_else(|| self.address_of(id), |(_, address)| address.clone());
        balancers.iter().map(|id| address(*id)).collect::<Vec<_>>().join(", ")
    }

    /// Keeps what these addresses are called until a reload tells of them.
    pub(in crate::event_loop) fn remember_dropped(&mut self, balancers: &[BalancerId]) {
        let named: Vec<_> = balancers.iter().map(|id| (*id, self.address_of(*id))).collect();
        let dropped = &mut self.reloads.dropped;
        dropped.retain(|(id, _)| !balancers.contains(id));
        dropped.extend(named);
        let extra = dropped.len().saturating_sub(MOST_DROPPED);
        dropped.drain(..extra);
    }
}

/// Why workers of both ways cannot be workers of one cluster: one address has one socket.
fn changed(old: Interception, new: Interception) -> String {
    format!(
        "listeners come by {} so far and would come by {} now ({}): restart the cluster, or say --intercept {} there",
        old.how, new.how, new.because, old.how
    )
}

/// The process that came to nothing.
fn culprit(failed: &Failed) -> Option<WorkerId> {
    match failed {
        Failed::Exited { worker, .. }
        | Failed::NotReady { worker, .. }
        | Failed::Hung { worker }
        | Failed::NotSpawned { worker, .. } => Some(*worker),
        Failed::Unfit { .. } | Failed::Aborted => None,
    }
}

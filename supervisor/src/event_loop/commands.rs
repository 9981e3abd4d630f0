//! What the cluster is told while it runs: by other threads, over the control socket, by signals. Each command becomes
//! inputs of the core; who wants to wait for the outcome does so in `waits`.

mod begun;
mod log_file;
mod logs;
pub(super) mod waits;

use super::Shell;
use super::os::Os;
use crate::api::{Action, Command, Failure, NO_LIMIT, Reply, ScaleTo, Target};
use crate::config::MAX_WORKERS;
use crate::io::control::server::Control;
use crate::io::events::source::Source;
use crate::link::Order;
use crate::pool::{self, Input};
use begun::{Begun, workers};
use nix::sys::signal::Signal;
use std::time::Duration;
use waits::{Asker, Goal, Wait};

/// So long at most it is waited until a worker that was cordoned has ended the accept that it may be in.
const SETTLES: Duration = Duration::from_millis(10);

impl<O: Os> Shell<O> {
    /// Takes in what other threads have ordered.
    pub(super) fn on_orders(&mut self) {
        while let Some(Order { command, answer }) =
            self.inbox.as_ref().and_then(|inbox| inbox.orders.try_recv().ok())
        {
            self.on_command(command, Asker::Thread(answer));
        }
    }

    /// Something happened on the control socket or to one of its clients.
    pub(super) fn on_control(&mut self, source: Source, readable: bool, writable: bool) {
        let Some(control) = &mut self.control else { return };
        match source {
            Source::Client(place) => {
                if writable {
                    control.writable(place, self.now);
                }
                if readable {
                    control.readable(place, self.now);
                }
            }
            _ => control.accept(self.now),
        }
        self.on_asked();
    }

    /// Lets go of clients of the control socket whose time is up, and hears what is left of what they said.
    pub(super) fn expire_clients(&mut self) {
        if let Some(control) = &mut self.control {
            control.expire(self.now);
            self.on_asked();
        }
    }

    /// Takes in what clients of the control socket have asked.
    pub(super) fn on_asked(&mut self) {
        while let Some((client, command)) = self.control.as_mut().and_then(Control::next) {
            self.on_command(command, Asker::Client(client));
        }
    }

    fn on_command(&mut self, command: Command, asker: Asker) {
        let is_cordon = matches!(command.action, Action::Cordon { .. });
        let answer = match command.action {
            Action::Inspect => {
                self.count_accepted();
                Ok(Reply::Inspection(self.inspection()))
            }
            // Followers are the control socket's own affair, and threads subscribe.
            Action::Events => Ok(Reply::Done),
            Action::Logs { target, lines, follow } => {
                return self.answer_by_lines(asker, &target, lines, follow);
            }
            action => match (self.act(action), command.wait_ms) {
                (Ok(Some(Begun { goal, done, .. })), Some(limit)) => {
                    let limit = (limit != NO_LIMIT).then(|| Duration::from_millis(limit));
                    let until = limit.and_then(|limit| self.now.checked_add(limit));
                    let done = format!("{}: {done}", self.config.name);
                    self.waits.add(Wait { goal, done, asker, since: self.now, until });
                    return;
                }
                (Ok(Some(Begun { begun, .. })), None) => {
                    Ok(Reply::Told(format!("{}: {begun}", self.config.name)))
                }
                // Who was told before may be accepting at this moment: it is not said to be out before that is over.
                (Ok(None), _) if is_cordon && self.may_follow() => {
                    let until = Some(self.now + SETTLES);
                    let (goal, done) = (Goal::NothingFollows, String::new());
                    self.waits.add(Wait { goal, done, asker, since: self.now, until });
                    return;
                }
                (Ok(None), _) => Ok(Reply::Done),
                (Err(failure), _) => Err(failure),
            },
        };
        self.tell(asker, &answer);
    }

    pub(super) fn tell(&mut self, asker: Asker, answer: &Result<Reply, Failure>) {
        match asker {
            // Nobody may be waiting any more.
            Asker::Thread(sender) => drop(sender.send(answer.clone())),
            Asker::Client(client) => {
                if let Some(control) = &mut self.control {
                    control.reply(client, answer, self.now);
                }
            }
        }
    }

    /// Carries an action out; returns what it has begun, where that takes time.
    fn act(&mut self, action: Action) -> Result<Option<Begun>, Failure> {
        use pool::Command as Do;
        Ok(match action {
            Action::Inspect | Action::Events | Action::Logs { .. } => None,
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

    fn take_down(&mut self, target: &Target, command: pool::Command, verb: &str) -> Result<Begun, Failure> {
        let before = self.incarnations(target)?;
        self.command(target, command)?;
        let count = before.len();
        Ok(Begun::with_workers(Goal::Down(before), target, count, verb, "stopped"))
    }

    /// Tells every worker that is meant; returns their slots.
    fn command(&mut self, target: &Target, command: pool::Command) -> Result<Vec<u32>, Failure> {
        let slots = self.slots(target)?;
        for &slot in &slots {
            self.input(Input::Command { slot, command });
        }
        Ok(slots)
    }

    fn slots(&self, target: &Target) -> Result<Vec<u32>, Failure> {
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
    fn scale(&mut self, to: ScaleTo) -> Result<u32, Failure> {
        let now = self.pool.wanted_workers();
        let wanted = match to {
            ScaleTo::To(count) => Some(count),
            ScaleTo::By(change) => now.checked_add_signed(change),
        };
        let Some(count) = wanted.filter(|count| (1..=MAX_WORKERS).contains(count)) else {
            let what = format!("a cluster has 1 to {MAX_WORKERS} workers, and this one {now}");
            return Err(Failure::Refused { what });
        };
        while self.ids.len() < count as usize {
            let unused = (0u32..).map(|id| id.to_string()).find(|id| !self.ids.contains(id));
            self.ids.extend(unused);
        }
        self.input(Input::Scale { workers: count });
        Ok(count)
    }

    /// One worker more or less, as a signal asks; at the limits nothing happens.
    pub(super) fn scale_by(&mut self, change: i32) {
        match self.scale(ScaleTo::By(change)) {
            Ok(count) => log::info!("scaling to {count} workers, as a signal asks"),
            Err(failure) => log::warn!("{failure}"),
        }
    }

    /// A signal that means nothing to the supervisor is for the workers. SIGUSR1 is for both: by it many a server opens its
    /// log anew, as the supervisor does where it has one.
    pub(super) fn forward(&mut self, signal: Signal) {
        if signal == Signal::SIGUSR1 {
            self.reopen_log_if_any();
        }
        log::info!("{signal} goes to every worker");
        // The target exists: it is all of them.
        let _ = self.command(&Target::Cluster, pool::Command::Signal(signal as i32));
    }
}

//! Who waits for the outcome of a command, and for what. Looked at once a turn; nobody is kept longer than he asked for.

use super::super::Shell;
use super::super::os::Os;
use crate::api::{Failure, Reply};
use crate::ids::WorkerId;
use crate::io::control::server::ClientId;
use crate::io::machine::wall_clock::milliseconds;
use crate::pool::{State, Worker};
use crossbeam_channel::{Receiver, Sender, TryRecvError};
use std::io;
use std::time::{Duration, Instant};

/// Who asked.
#[derive(Debug)]
pub(super) enum Asker {
    Thread(Sender<Result<Reply, Failure>>),
    Client(ClientId),
}

/// How often it is looked whether an accept is over, or the log is empty.
const LOOK: Duration = Duration::from_millis(1);

/// Where it is told that the log is empty.
#[derive(Clone, Debug)]
pub(super) struct Emptying(pub(super) Receiver<io::Result<()>>);

impl PartialEq for Emptying {
    fn eq(&self, other: &Self) -> bool {
        self.0.same_channel(&other.0)
    }
}

impl Eq for Emptying {}

/// What is to be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// Each of these slots runs, in an incarnation later than this.
    Running(Vec<(u32, u32)>),
    /// In each of these slots the process of this incarnation has ended. Somebody may have started another one since.
    Down(Vec<(u32, u32)>),
    /// There are so many workers, and all run.
    Count(u32),
    /// The reload of this number has ended.
    Reload(u64),
    /// The reload of this number has brought another configuration, and there are as many workers as there are to be.
    Changed { reload: u64 },
    /// The reload of this number, which was aborted, has ended.
    Aborted(u64),
    /// The cluster is at rest.
    Rest,
    /// No worker that is cordoned is accepting by a right that it had before.
    NothingFollows,
    /// The file of the log is empty.
    Emptied(Emptying),
}

/// One who waits.
#[derive(Debug)]
pub(super) struct Wait {
    pub(in crate::event_loop) goal: Goal,
    /// What is said once it is reached.
    pub(in crate::event_loop) done: String,
    pub(in crate::event_loop) asker: Asker,
    pub(in crate::event_loop) since: Instant,
    /// `None` is for ever.
    pub(in crate::event_loop) until: Option<Instant>,
}

/// All who wait.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Waits(Vec<Wait>);

/// How far a goal is.
enum Progress {
    Done,
    /// It has ended like this.
    Ended(Result<Reply, Failure>),
    /// It will not be reached by waiting.
    Hopeless(String),
    UnderWay(String),
}

impl Waits {
    pub(super) fn add(&mut self, wait: Wait) {
        self.0.push(wait);
    }

    pub(in crate::event_loop) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let until = self.0.iter().filter_map(|wait| wait.until).min();
        // Nobody tells of the end of an accept, nor of that.
        let is_looked_at = |wait: &Wait| matches!(wait.goal, Goal::NothingFollows | Goal::Emptied(_));
        let look = self.0.iter().any(is_looked_at).then(|| now + LOOK);
        until.into_iter().chain(look).min()
    }
}

impl<O: Os> Shell<O> {
    /// Answers those whose goal is reached, or cannot be, or whose time is up.
    pub(in crate::event_loop) fn answer_waiting(&mut self) {
        if self.waits.0.is_empty() {
            return;
        }
        let mut left = Vec::new();
        for wait in std::mem::take(&mut self.waits.0) {
            let answer = match self.progress(&wait.goal) {
                Progress::Done => Ok(Reply::Told(wait.done.clone())),
                Progress::Ended(answer) => answer,
                Progress::Hopeless(what) => Err(Failure::Refused { what }),
                Progress::UnderWay(what)
                    if wait.goal == Goal::NothingFollows
                        && wait.until.is_some_and(|until| until <= self.now) =>
                {
                    Ok(Reply::Told(format!("{}: {what}", self.config.name)))
                }
                Progress::UnderWay(what) if wait.until.is_some_and(|until| until <= self.now) => {
                    let waited = self.now.saturating_duration_since(wait.since);
                    Err(Failure::TimedOut { waited_ms: milliseconds(waited), what })
                }
                Progress::UnderWay(_) => {
                    left.push(wait);
                    continue;
                }
            };
            self.tell(wait.asker, &answer);
        }
        // What was asked meanwhile comes behind.
        left.append(&mut self.waits.0);
        self.waits.0 = left;
    }

    /// The cluster is at rest: that was a goal, or it is why another will not be reached.
    pub(in crate::event_loop) fn dismiss_waiting(&mut self) {
        for wait in std::mem::take(&mut self.waits.0) {
            let answer = match wait.goal {
                Goal::NothingFollows => Ok(Reply::Done),
                Goal::Rest | Goal::Down(_) | Goal::Aborted(_) => Ok(Reply::Told(wait.done)),
                Goal::Running(_)
                | Goal::Count(_)
                | Goal::Reload(_)
                | Goal::Changed { .. }
                | Goal::Emptied(_) => Err(Failure::NotRunning),
            };
            self.tell(wait.asker, &answer);
        }
    }

    fn progress(&self, goal: &Goal) -> Progress {
        let workers = || self.pool.workers();
        match goal {
            Goal::Reload(ticket) => match self.reloads.ended.get(ticket) {
                Some(answer) => Progress::Ended(answer.clone()),
                None => Progress::UnderWay(self.reload_progress()),
            },
            Goal::Changed { reload } => match self.reloads.ended.get(reload) {
                Some(Ok(answer)) => match self.progress(&Goal::Count(self.pool.wanted_workers())) {
                    Progress::Done => Progress::Ended(Ok(answer.clone())),
                    other => other,
                },
                _ => self.progress(&Goal::Reload(*reload)),
            },
            Goal::Aborted(ticket) => match self.reloads.ended.get(ticket) {
                Some(_) => Progress::Done,
                None => Progress::UnderWay(self.reload_progress()),
            },
            Goal::NothingFollows if self.may_follow() => Progress::UnderWay(
                "cordoned; a thread that is held up may yet accept one connection".to_owned(),
            ),
            Goal::NothingFollows => Progress::Ended(Ok(Reply::Done)),
            Goal::Emptied(Emptying(told)) => match told.try_recv() {
                Ok(Ok(())) => Progress::Done,
                Ok(Err(error)) => Progress::Hopeless(format!("the log cannot be emptied: {error}")),
                Err(TryRecvError::Empty) => Progress::UnderWay("the log is still being written".to_owned()),
                Err(TryRecvError::Disconnected) => Progress::Hopeless("nobody writes the log".to_owned()),
            },
            Goal::Rest => Progress::UnderWay("the cluster is stopping".to_owned()),
            Goal::Down(slots) => {
                let is_meant = |id: WorkerId| {
                    slots.iter().any(|(slot, last)| *slot == id.slot && id.incarnation <= *last)
                };
                let up = workers().find(|worker| worker.is_live() && is_meant(worker.id()));
                match up {
                    Some(worker) => {
                        Progress::UnderWay(format!("worker {} is stopping", self.name(worker.id())))
                    }
                    None => Progress::Done,
                }
            }
            Goal::Count(count) if *count != self.pool.wanted_workers() => {
                // It may never be so.
                let wanted = self.pool.wanted_workers();
                Progress::Hopeless(format!("by another command the number of workers is to be {wanted}"))
            }
            Goal::Count(count) => {
                let extra = workers().find(|worker| worker.id().slot >= *count);
                match extra {
                    Some(worker) => {
                        Progress::UnderWay(format!("worker {} is stopping", self.name(worker.id())))
                    }
                    None => self.all_running(workers().map(|worker| (worker, 0))),
                }
            }
            Goal::Running(slots) => {
                let meant = |worker: &Worker<'_>| {
                    let id = worker.id();
                    slots.iter().find(|(slot, _)| *slot == id.slot).map(|(_, after)| *after)
                };
                self.all_running(workers().filter_map(|worker| Some((worker, meant(&worker)?))))
            }
        }
    }

    fn all_running<'a>(&self, workers: impl Iterator<Item = (Worker<'a>, u32)>) -> Progress {
        let mut pending = None;
        for (worker, after) in workers {
            let id = worker.id();
            match worker.state() {
                State::Running { .. } if id.incarnation > after => {}
                State::Standby { due: None, .. } => {
                    let how = self.last_exit(id).map_or(String::new(), |exit| format!(": {exit}"));
                    return Progress::Hopeless(format!(
                        "worker {} is down and stays down{how}",
                        self.name(id)
                    ));
                }
                _ => pending = Some(id),
            }
        }
        match pending {
            Some(id) => Progress::UnderWay(format!("worker {} is not running yet", self.name(id))),
            None => Progress::Done,
        }
    }

    /// Some worker that is cordoned may be accepting by a right that it had before.
    pub(in crate::event_loop) fn may_follow(&self) -> bool {
        let is_cordoned =
            |id: WorkerId| self.pool.workers().any(|worker| worker.id() == id && worker.is_cordoned());
        self.lanes.all.values().any(|lane| lane.may_follow() && is_cordoned(lane.worker))
    }

    fn name(&self, worker: WorkerId) -> &str {
        self.logical_id(worker)
    }
}

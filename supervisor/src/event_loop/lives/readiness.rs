//! Finds out whether workers are ready, where somebody wants more than that they listen: after a delay, by whether their
//! program takes a connection, by what it answers, or by a newline of it. The core is told, and decides.

use super::super::Shell;
use super::super::os::Os;
use crate::config::Ready;
use crate::ids::{LaneId, WorkerId};
use crate::io::events::source::Source;
use crate::io::lanes::lane::Lane;
use crate::io::readiness::probe::{Answer, Probe};
use crate::io::readiness::s6_ready::{self, Found, S6Ready, Told};
use crate::pool::{self, Input, State};
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// After one that failed, when to try again.
const RETRY: Duration = Duration::from_millis(500);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// When to look first whether a connection was taken; then after twice as long.
const FIRST_LOOK: Duration = Duration::from_millis(5);

/// What is done to find out whether a process of a worker is ready; nothing once that is known.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Readiness {
    /// Once it listens.
    trial: Option<Trial>,
    /// Where a newline is to come from it.
    newline: Option<S6Ready>,
}

/// How it is being tried.
#[derive(Debug)]
struct Trial {
    next: Instant,
    attempts: usize,
    under_way: Option<(LaneId, Probe)>,
    step: Duration,
    /// It has been said why it is not ready.
    told: bool,
}

impl Readiness {
    pub(in crate::event_loop) fn next_deadline(&self) -> Option<Instant> {
        self.trial.as_ref().map(|trial| trial.next)
    }

    /// The poll is to tell of it no more.
    pub(in crate::event_loop) fn release(&self, registry: &Registry) {
        let probe = self.trial.as_ref().and_then(|trial| trial.under_way.as_ref()).map(|(_, probe)| probe);
        let descriptors = probe.map(AsFd::as_fd).into_iter().chain(self.newline.as_ref().map(AsFd::as_fd));
        for fd in descriptors {
            // One that asks for nothing was never registered.
            let _ = registry.deregister(&mut SourceFd(&fd.as_raw_fd()));
        }
    }
}

impl<O: Os> Shell<O> {
    /// The worker listens.
    pub(in crate::event_loop) fn may_be_ready(&mut self, worker: WorkerId) {
        let wait = match self.config.settings.readiness.ready {
            Some(Ready::Delay(delay)) => delay,
            Some(Ready::Tcp | Ready::Http(_)) => Duration::ZERO,
            None | Some(Ready::Auto | Ready::Listen | Ready::Notify | Ready::Fd(_)) => return,
        };
        if self.starts(worker) {
            let next = self.now + wait;
            let begun = Trial { next, attempts: 0, under_way: None, step: FIRST_LOOK, told: false };
            if let Some(life) = self.lives.get_mut(worker) {
                life.readiness.trial.get_or_insert(begun);
            }
        }
    }

    fn trial(&mut self, worker: WorkerId) -> Option<&mut Trial> {
        self.lives.get_mut(worker)?.readiness.trial.as_mut()
    }

    /// It is known whether it is ready.
    fn try_no_more(&mut self, worker: WorkerId) {
        if let Some(life) = self.lives.get_mut(worker) {
            life.readiness = Readiness::default();
        }
    }

    fn starts(&self, worker: WorkerId) -> bool {
        let known = self.pool.worker(worker);
        known.is_some_and(|known| matches!(known.state(), State::Starting { .. }))
    }

    /// Goes on with each trial for which it is time.
    pub(in crate::event_loop) fn try_workers(&mut self) {
        for worker in self.lives.due(self.now, |life| life.readiness.next_deadline()) {
            if self.starts(worker) {
                self.go_on(worker);
            } else {
                self.try_no_more(worker);
            }
        }
    }

    fn go_on(&mut self, worker: WorkerId) {
        let now = self.now;
        let Some(trial) = self.trial(worker) else { return };
        let lane = trial.under_way.as_ref().map(|(lane, _)| *lane);
        let is_open = lane.is_some_and(|lane| self.lanes.all.contains_key(&lane) && !self.is_left(lane));
        match self.config.settings.readiness.ready.clone() {
            Some(Ready::Delay(_)) => self.is_ready(worker),
            Some(Ready::Tcp) if is_open => {
                let waiting = lane.and_then(|lane| self.lanes.all.get(&lane)).map_or(0, Lane::waiting);
                match self.trial(worker) {
                    Some(_) if waiting == 0 => self.is_ready(worker),
                    Some(trial) => {
                        trial.next = now + trial.step;
                        trial.step = (trial.step * 2).min(RETRY);
                    }
                    None => {}
                }
            }
            Some(Ready::Http(_)) if is_open => self.try_again(worker, "no answer within 5s"),
            Some(Ready::Tcp) => self.begin(worker, None),
            Some(Ready::Http(path)) => self.begin(worker, Some(&path)),
            None | Some(Ready::Auto | Ready::Listen | Ready::Notify | Ready::Fd(_)) => {
                self.try_no_more(worker);
            }
        }
    }

    /// For a process that is about to be started, and what that is to be given, where it is to say by a newline that it is
    /// ready.
    pub(super) fn newline_for(&self, worker: WorkerId) -> io::Result<(Readiness, Option<Told>)> {
        let Some(Ready::Fd(number)) = self.config.settings.readiness.ready else {
            return Ok((Readiness::default(), None));
        };
        let (newline, told) = s6_ready::pipe(number)?;
        let fd = newline.as_fd().as_raw_fd();
        let source = Source::Newline(worker).into();
        self.poll.registry().register(&mut SourceFd(&fd), source, Interest::READABLE)?;
        Ok((Readiness { trial: None, newline: Some(newline) }, Some(told)))
    }

    /// The worker has written there, or closed it.
    pub(in crate::event_loop) fn on_newline(&mut self, worker: WorkerId) {
        let Some(life) = self.lives.get_mut(worker) else { return };
        let Some(newline) = &life.readiness.newline else { return };
        match newline.look() {
            Found::Newline => {
                self.try_no_more(worker);
                self.says_ready(worker);
            }
            Found::End => {
                life.readiness.newline = None;
                log::info!(
                    "worker {} has closed its descriptor for readiness without a newline: it will not be ready",
                    self.logical_id(worker)
                );
            }
            Found::Nothing => {}
            Found::More => {
                // It is told of again in the next turn, when others have had theirs.
                let fd = newline.as_fd().as_raw_fd();
                let source = Source::Newline(worker).into();
                let _ = self.poll.registry().reregister(&mut SourceFd(&fd), source, Interest::READABLE);
            }
        }
    }

    fn is_ready(&mut self, worker: WorkerId) {
        self.try_no_more(worker);
        self.input(Input::Ready { worker });
    }

    /// Hands it a connection, and asks for the path if there is one.
    fn begin(&mut self, worker: WorkerId, path: Option<&str>) {
        let now = self.now;
        match self.probe(worker, path) {
            Ok((lane, probe)) => {
                if let Some(trial) = self.trial(worker) {
                    trial.under_way = Some((lane, probe));
                    trial.step = FIRST_LOOK;
                    trial.next = now + if path.is_some() { ANSWER } else { FIRST_LOOK };
                }
            }
            Err(error) => self.try_again(worker, &error.to_string()),
        }
    }

    fn probe(&mut self, worker: WorkerId, path: Option<&str>) -> io::Result<(LaneId, Probe)> {
        let attempts = self.trial(worker).map_or(0, |trial| trial.attempts);
        let own = self.lanes.all.iter().filter(|(_, lane)| lane.worker == worker).map(|(id, _)| *id);
        let mut lanes: Vec<LaneId> = own.filter(|id| !self.is_left(*id)).collect();
        lanes.sort_unstable();
        let nowhere = || io::Error::new(io::ErrorKind::NotConnected, "it no longer listens");
        // Who listens on several addresses may answer on only one of them.
        let id = *lanes.get(attempts % lanes.len().max(1)).ok_or_else(nowhere)?;
        let lane = self.lanes.all.get_mut(&id).ok_or_else(nowhere)?;
        let listener = self.listeners.all.get(&lane.balancer).ok_or_else(nowhere)?;
        let (mut probe, connection) =
            Probe::open(listener.address.family(), listener.nonblock, lane.balancer)?;
        if let Some(path) = path {
            let host = match listener.address.port() {
                Some(_) => listener.address.to_string(),
                None => "localhost".to_owned(),
            };
            probe.ask(path, &host)?;
            let fd = probe.as_fd().as_raw_fd();
            let source = Source::Probe(worker).into();
            self.poll.registry().register(&mut SourceFd(&fd), source, Interest::READABLE)?;
        }
        let ticket = self.os.give(lane, &connection)?;
        drop(connection);
        self.connections.releases.release(ticket);
        Ok((id, probe))
    }

    /// Nobody is known to receive from the lane: those who did have lanes of their own.
    fn is_left(&self, id: LaneId) -> bool {
        self.pool.lane(id).is_some_and(pool::Lane::is_left)
    }

    /// The worker has answered, or closed.
    pub(in crate::event_loop) fn on_probe(&mut self, worker: WorkerId) {
        let trial = self.trial(worker);
        let Some((_, probe)) = trial.and_then(|trial| trial.under_way.as_mut()) else { return };
        match probe.answer() {
            Answer::Pending => {}
            Answer::Good => self.is_ready(worker),
            Answer::Bad(how) => self.try_again(worker, &how),
        }
    }

    fn try_again(&mut self, worker: WorkerId, cause: &str) {
        let name = self.logical_id(worker).to_owned();
        let now = self.now;
        let Some(trial) = self.trial(worker) else { return };
        if !std::mem::replace(&mut trial.told, true) {
            log::info!("worker {name} is not ready yet: {cause}; tried again until it is");
        } else {
            log::debug!("worker {name} is not ready yet: {cause}");
        }
        trial.attempts += 1;
        trial.under_way = None;
        trial.next = now + RETRY;
    }

    /// What lay in the lane was taken back: a worker that was being tried by it is tried by another of its lanes.
    pub(in crate::event_loop) fn try_elsewhere(&mut self, id: LaneId) {
        let by_it = |trial: &&mut Trial| trial.under_way.as_ref().is_some_and(|(lane, _)| *lane == id);
        let mut trials = self.lives.iter_mut().filter_map(|(_, life)| life.readiness.trial.as_mut());
        if let Some(trial) = trials.find(by_it) {
            trial.under_way = None;
            trial.next = self.now;
        }
    }

    /// What lies in its lanes are connections of ours, by which it is being tried.
    pub(in crate::event_loop) fn is_being_tried(&self, worker: WorkerId) -> bool {
        self.lives.get_to_the_end(worker).is_some_and(|life| life.readiness.trial.is_some())
    }
}

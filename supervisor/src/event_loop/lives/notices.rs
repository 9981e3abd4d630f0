//! What workers tell of themselves at their `NOTIFY_SOCKET`s: passed on to the core, kept for people, and missed where a
//! worker had promised to say that it lives.

use super::super::Shell;
use super::super::os::Os;
use super::super::report::Span;
use crate::config::Ready;
use crate::ids::WorkerId;
use crate::io::events::source::Source;
use crate::io::readiness::worker_notify::{Heard, Message, Word, WorkerNotify};
use crate::pool::{Input, State};
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use slab::Slab;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// When to look again, at the latest, at one that is not well and was not restarted for it.
const AGAIN: Duration = Duration::from_secs(1);

/// Whose the sockets are, by their places in the poll's tokens.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Ears {
    workers: Slab<WorkerId>,
    /// How many there have been: each has a name of its own.
    opened: u64,
}

/// The socket of one process of a worker, and what was last heard there.
#[derive(Debug)]
pub(in crate::event_loop) struct Ear {
    place: usize,
    socket: WorkerNotify,
    status: Option<String>,
    /// It has said that it lives, and must again by then.
    alive_by: Option<Instant>,
    /// It has last said that it is not well.
    unwell: bool,
}

impl Ears {
    /// A socket for the process of the worker that is about to be started.
    pub(in crate::event_loop) fn open(
        &mut self,
        worker: WorkerId,
        nonce: u64,
        registry: &Registry,
    ) -> io::Result<Ear> {
        self.opened += 1;
        let socket = WorkerNotify::open(nonce, self.opened)?;
        let entry = self.workers.vacant_entry();
        let place = entry.key();
        let fd = socket.as_fd().as_raw_fd();
        registry.register(&mut SourceFd(&fd), Source::Notified(place).into(), Interest::READABLE)?;
        entry.insert(worker);
        Ok(Ear { place, socket, status: None, alive_by: None, unwell: false })
    }

    /// The socket is about to be closed.
    pub(in crate::event_loop) fn close(&mut self, ear: &Ear, registry: &Registry) {
        let _ = registry.deregister(&mut SourceFd(&ear.socket.as_fd().as_raw_fd()));
        self.workers.try_remove(ear.place);
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(in crate::event_loop) fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }
}

impl Ear {
    /// What the worker says that it is doing.
    pub(in crate::event_loop) fn status(&self) -> Option<&str> {
        self.status.as_deref()
    }

    /// When the worker must have said again that it lives, if it must.
    pub(in crate::event_loop) fn alive_by(&self) -> Option<Instant> {
        self.alive_by
    }

    fn is_silent(&self, now: Instant) -> bool {
        self.alive_by.is_some_and(|at| at <= now)
    }
}

impl<O: Os> Shell<O> {
    /// Somebody has written to the socket at this place.
    pub(in crate::event_loop) fn on_notified(&mut self, place: usize) {
        if let Some(&worker) = self.lives.ears.workers.get(place) {
            self.hear(worker);
        }
    }

    fn ear(&mut self, worker: WorkerId) -> Option<&mut Ear> {
        self.lives.get_mut(worker)?.ear.as_mut()
    }

    fn hear(&mut self, worker: WorkerId) {
        let Some(ear) = self.lives.get(worker).and_then(|life| life.ear.as_ref()) else { return };
        let Heard { messages, more } = ear.socket.read();
        if more {
            // It is told of again in the next turn, when others have had theirs.
            let fd = ear.socket.as_fd().as_raw_fd();
            let source = Source::Notified(ear.place).into();
            let _ = self.poll.registry().reregister(&mut SourceFd(&fd), source, Interest::READABLE);
        }
        for Message { pid, uid, words } in messages {
            if !self.speaks_for(worker, pid, uid) {
                let id = self.logical_id(worker);
                let what =
                    format!("sent to the notify socket of worker {id}, of which it is no process: ignored");
                self.accuse(pid, uid, what);
                continue;
            }
            for word in words {
                self.on_word(worker, word);
            }
        }
    }

    fn on_word(&mut self, worker: WorkerId, word: Word) {
        let watchdog = self.config.settings.health.watchdog;
        let (now, believed) = (self.now, self.is_taken_at_its_word(worker));
        let Some(ear) = self.ear(worker) else { return };
        match word {
            Word::Ready if believed => self.says_ready(worker),
            Word::Ready => {}
            Word::Stopping => self.input(Input::SaysStopping { worker }),
            Word::Extend(by) => self.input(Input::Extended { worker, by }),
            Word::Watchdog | Word::WatchdogTrigger => {
                ear.unwell = word == Word::WatchdogTrigger;
                let limit = if ear.unwell { Duration::ZERO } else { watchdog.unwrap_or_default() };
                ear.alive_by = watchdog.map(|_| now + limit);
            }
            Word::Status(text) => {
                ear.status = Some(text).filter(|text| !text.is_empty());
                self.reports.is_news = true;
            }
        }
    }

    /// That it says to be ready is enough, or it is.
    fn is_taken_at_its_word(&self, worker: WorkerId) -> bool {
        matches!(self.config.settings.readiness.ready, None | Some(Ready::Auto | Ready::Notify))
            || self.runs(worker)
    }

    /// It is the current incarnation of its slot, and running.
    pub(in crate::event_loop) fn runs(&self, worker: WorkerId) -> bool {
        let known = self.pool.worker(worker);
        known.is_some_and(|known| matches!(known.state(), State::Running { .. }))
    }

    /// Looks who has not said in time that it lives.
    pub(in crate::event_loop) fn look_at_watchdogs(&mut self) {
        let now = self.now;
        let limit = self.config.settings.health.watchdog.unwrap_or_default();
        for worker in self.lives.due(now, |life| life.ear.as_ref()?.alive_by) {
            // What it has said may not have been read yet, if the supervisor was late itself.
            self.hear(worker);
            let Some(ear) = self.ear(worker).filter(|ear| ear.is_silent(now)) else { continue };
            // One that is spared is looked at again.
            ear.alive_by = Some(now + limit.min(AGAIN));
            let cause = if ear.unwell {
                "says that it is unwell".to_owned()
            } else {
                format!("has not said WATCHDOG=1 for {}", Span(limit))
            };
            self.is_unwell(worker, &cause);
        }
    }

    /// Has the worker restarted, unless a debugger holds it: then it can say nothing.
    pub(in crate::event_loop) fn is_unwell(&mut self, worker: WorkerId, cause: &str) {
        if self.runs(worker) && !self.is_traced(worker) {
            let cause = cause.to_owned();
            self.input(Input::Unwell { worker, cause });
        }
    }

    /// The socket of a process that is about to be started: none unless it was asked for. A program takes `NOTIFY_SOCKET`
    /// for a service manager that waits for it to speak; Puma 5 complains when it cannot.
    pub(super) fn ear_for(&mut self, worker: WorkerId) -> io::Result<Option<Ear>> {
        let asked = matches!(self.config.settings.readiness.ready, Some(Ready::Auto | Ready::Notify));
        if !asked && self.config.settings.health.watchdog.is_none() {
            return Ok(None);
        }
        self.lives.ears.open(worker, self.launching.nonce, self.poll.registry()).map(Some)
    }

    /// What such a process finds in its environment for this.
    pub(super) fn notify_variables(&self, ear: Option<&Ear>) -> Vec<(&'static str, String)> {
        let Some(ear) = ear else { return Vec::new() };
        let mut variables = vec![("NOTIFY_SOCKET", ear.socket.name().to_owned())];
        let usec = |limit: Duration| u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        variables.extend(
            self.config.settings.health.watchdog.map(|limit| ("WATCHDOG_USEC", usec(limit).to_string())),
        );
        variables
    }
}

//! What workers tell of themselves at their `NOTIFY_SOCKET`s: passed on to the core, kept for people, and missed where a
//! worker had promised to say that it lives.

use super::Shell;
use crate::config::Ready;
use crate::ids::WorkerId;
use crate::io::events::source::Source;
use crate::io::ready::worker_notify::{Heard, Message, Word, WorkerNotify};
use crate::pool::{Input, State};
use mio::Interest;
use mio::unix::SourceFd;
use slab::Slab;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// When to look again, at the latest, at one that is not well and was not restarted for it.
const AGAIN: Duration = Duration::from_secs(1);

/// The sockets of all incarnations that live.
#[derive(Debug, Default)]
pub(super) struct Notices {
    sockets: Slab<Ear>,
    places: HashMap<WorkerId, usize>,
    opened: u64,
}

#[derive(Debug)]
struct Ear {
    worker: WorkerId,
    socket: WorkerNotify,
    status: Option<String>,
    /// It has said that it lives, and must again by then.
    alive_by: Option<Instant>,
    /// It has last said that it is not well.
    unwell: bool,
}

impl Notices {
    /// What the worker says that it is doing.
    pub(super) fn status(&self, worker: WorkerId) -> Option<&str> {
        self.sockets.get(*self.places.get(&worker)?)?.status.as_deref()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.sockets.iter().filter_map(|(_, ear)| ear.alive_by).min()
    }
}

impl Shell {
    /// A socket for a process that is about to be started; its name.
    pub(super) fn listen_for(&mut self, worker: WorkerId) -> io::Result<String> {
        self.no_longer_listen_for(worker);
        self.notices.opened += 1;
        let socket = WorkerNotify::open(self.nonce, self.notices.opened)?;
        let name = socket.name().to_owned();
        let entry = self.notices.sockets.vacant_entry();
        let place = entry.key();
        let fd = socket.as_fd().as_raw_fd();
        let source = Source::Notified(place).into();
        self.poll.registry().register(&mut SourceFd(&fd), source, Interest::READABLE)?;
        entry.insert(Ear { worker, socket, status: None, alive_by: None, unwell: false });
        self.notices.places.insert(worker, place);
        Ok(name)
    }

    pub(super) fn no_longer_listen_for(&mut self, worker: WorkerId) {
        if let Some(place) = self.notices.places.remove(&worker) {
            // Its registration goes with it.
            self.notices.sockets.try_remove(place);
        }
    }

    pub(super) fn on_notified(&mut self, place: usize) {
        let Some(ear) = self.notices.sockets.get(place) else { return };
        let worker = ear.worker;
        let Heard { messages, more } = ear.socket.read();
        if more {
            // It is told of again in the next turn, when others have had theirs.
            let fd = ear.socket.as_fd().as_raw_fd();
            let source = Source::Notified(place).into();
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
                self.on_word(worker, place, word);
            }
        }
    }

    fn on_word(&mut self, worker: WorkerId, place: usize, word: Word) {
        let watchdog = self.config.settings.health.watchdog;
        let believed = self.is_taken_at_its_word(worker);
        let Some(ear) = self.notices.sockets.get_mut(place) else { return };
        match word {
            Word::Ready if believed => self.says_ready(worker),
            Word::Ready => {}
            Word::Stopping => self.input(Input::SaysStopping { worker }),
            Word::Extend(by) => self.input(Input::Extended { worker, by }),
            Word::Watchdog | Word::WatchdogTrigger => {
                ear.unwell = word == Word::WatchdogTrigger;
                let limit = if ear.unwell { Duration::ZERO } else { watchdog.unwrap_or_default() };
                ear.alive_by = watchdog.map(|_| self.now + limit);
            }
            Word::Status(text) => {
                ear.status = Some(text).filter(|text| !text.is_empty());
                self.is_news = true;
            }
        }
    }

    /// That it says to be ready is enough, or it is.
    fn is_taken_at_its_word(&self, worker: WorkerId) -> bool {
        matches!(self.config.settings.readiness.ready, None | Some(Ready::Auto | Ready::Notify))
            || self.runs(worker)
    }

    /// It is the current incarnation of its slot, and running.
    pub(super) fn runs(&self, worker: WorkerId) -> bool {
        let known = self.pool.worker(worker);
        known.is_some_and(|known| matches!(known.state(), State::Running { .. }))
    }

    /// Looks who has not said in time that it lives.
    pub(super) fn look_at_watchdogs(&mut self) {
        let now = self.now;
        let silent = |ear: &Ear| ear.alive_by.is_some_and(|at| at <= now);
        let due: Vec<usize> =
            self.notices.sockets.iter().filter(|(_, ear)| silent(ear)).map(|(place, _)| place).collect();
        for place in due {
            // What it has said may not have been read yet, if the supervisor was late itself.
            self.on_notified(place);
            let Some(ear) = self.notices.sockets.get_mut(place).filter(|ear| silent(ear)) else { continue };
            let worker = ear.worker;
            let limit = self.config.settings.health.watchdog.unwrap_or_default();
            // One that is spared is looked at again.
            ear.alive_by = Some(now + limit.min(AGAIN));
            let cause = if ear.unwell {
                "says that it is unwell".to_owned()
            } else {
                format!("has not said WATCHDOG=1 for {}", super::report::Span(limit))
            };
            self.is_unwell(worker, &cause);
        }
    }

    /// Has the worker restarted, unless a debugger holds it: then it can say nothing.
    pub(super) fn is_unwell(&mut self, worker: WorkerId, cause: &str) {
        if self.runs(worker) && !self.is_traced(worker) {
            let cause = cause.to_owned();
            self.input(Input::Unwell { worker, cause });
        }
    }

    /// What a process that is about to be started finds in its environment for this: nothing unless it was asked for. A
    /// program takes `NOTIFY_SOCKET` for a service manager that waits for it to speak; Puma 5 complains when it cannot.
    pub(super) fn notify_variables(&mut self, worker: WorkerId) -> io::Result<Vec<(&'static str, String)>> {
        let asked = matches!(self.config.settings.readiness.ready, Some(Ready::Auto | Ready::Notify));
        if !asked && self.config.settings.health.watchdog.is_none() {
            return Ok(Vec::new());
        }
        let mut variables = vec![("NOTIFY_SOCKET", self.listen_for(worker)?)];
        let usec = |limit: Duration| u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        variables.extend(
            self.config.settings.health.watchdog.map(|limit| ("WATCHDOG_USEC", usec(limit).to_string())),
        );
        Ok(variables)
    }
}

//! Workers that are stopped, by their terminal or by somebody: told in the log and in `status`. One that is to end and is
//! stopped by its terminal again goes on, so that its handler can end it.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::WorkerId;
use crate::io::process::suspended::Suspension;
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// One that is to end is made to go on again and again, since it comes only a little further with each: until its other
/// threads have had their turn. So long is waited in between, times the number of times that it was, up to the longest.
const PAUSE: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(100);

/// Whether the first process of a worker is stopped, or was while it was to end.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Suspended {
    by: Option<Signal>,
    since: Option<Instant>,
    pushes: u32,
    push_at: Option<Instant>,
}

impl Suspended {
    pub(in crate::event_loop) fn next_deadline(&self) -> Option<Instant> {
        self.push_at
    }

    /// For how long it has been stopped, if it is.
    pub(in crate::event_loop) fn lasts(&self, now: Instant) -> Option<Duration> {
        self.since.filter(|_| self.by.is_some()).map(|since| now.saturating_duration_since(since))
    }

    /// `stopped by the terminal (SIGTTIN)`, of a worker that is.
    pub(in crate::event_loop) fn describe(&self) -> Option<String> {
        self.by.map(describe)
    }
}

impl<O: Os> Shell<O> {
    /// Asks of each worker whether it was stopped or continued.
    pub(in crate::event_loop) fn look_for_suspended(&mut self) {
        let mut changed = Vec::new();
        for (worker, life) in self.lives.iter() {
            // One whose connections are taken is stopped by us, for a moment.
            if life.process.ended.is_none() && life.moving.is_none() {
                let news = self.os.suspension(life.process.pid, &life.process.pidfd);
                changed.extend(news.map(|news| (worker, news)));
            }
        }
        for (worker, news) in changed {
            self.reports.is_news = true;
            let Some(life) = self.lives.get_mut(worker) else { continue };
            let state = &mut life.suspended;
            match news {
                Suspension::Stopped(signal) => {
                    state.by = Some(signal);
                    state.since = Some(self.now);
                    if life.process.stopping && is_of_terminal(signal) {
                        state.push_at = Some(self.now + (PAUSE * state.pushes).min(LONGEST));
                    } else {
                        self.tell_of_suspended(worker, signal);
                    }
                }
                Suspension::Continued => (state.by, state.since) = (None, None),
            }
        }
    }

    /// Makes those go on whose time has come.
    pub(in crate::event_loop) fn push_suspended(&mut self) {
        for (_, life) in self.lives.iter_mut() {
            if life.suspended.push_at.take_if(|at| *at <= self.now).is_some() {
                life.suspended.pushes += 1;
                life.process.resume(&self.os);
            }
        }
    }

    fn tell_of_suspended(&mut self, worker: WorkerId, signal: Signal) {
        let Some(hushed) =
            self.lives.process_mut(worker).and_then(|process| process.complaints.ask(self.now))
        else {
            return;
        };
        let why = match signal {
            Signal::SIGTTIN => {
                ": it wants to read from the terminal, which no worker can; give it what it asks for in another way"
            }
            Signal::SIGTTOU => {
                ": it wants to set up the terminal, as for a question, which no worker can; give it what it asks for in another way"
            }
            _ => "; SIGCONT lets it go on",
        };
        log::warn!("worker {} is {}{why}{hushed}", self.logical_id(worker), describe(signal));
    }
}

fn is_of_terminal(signal: Signal) -> bool {
    matches!(signal, Signal::SIGTTIN | Signal::SIGTTOU)
}

fn describe(signal: Signal) -> String {
    if is_of_terminal(signal) {
        format!("stopped by the terminal ({signal})")
    } else {
        format!("stopped ({signal})")
    }
}

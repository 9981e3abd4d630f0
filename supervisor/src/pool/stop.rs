//! How a worker stops: out of rotation, drained, told by a signal, killed. Plain values and the rules by which one follows
//! from the other; the table of states puts them to use.

use super::deadlines::after;
use super::state::{Effect, Reason, State};
use super::{Settings, Signal};
use std::time::{Duration, Instant};

/// How a worker stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The first process, once known.
    pub pid: Option<u32>,
    /// When it was spawned.
    pub since: Instant,
    /// When it was told to stop.
    pub asked: Instant,
    /// Out of rotation and not yet told to stop: it finishes what it has, but is told no later than this.
    pub drain_until: Option<Instant>,
    /// When it is killed; `None` is never, that it has been, or that it drains.
    pub force_at: Option<Instant>,
    /// What it was last told to stop by: what a process that appears only now is sent.
    pub signal: Signal,
    /// Somebody debugs it and will end it.
    pub debugging: bool,
    /// What follows once it is gone.
    pub next: Next,
}

impl Stop {
    /// It finishes what it has and has not been told to stop.
    pub fn drains(&self) -> bool {
        self.drain_until.is_some()
    }

    /// It has been killed.
    pub fn forced(&self) -> bool {
        self.signal == Signal::Kill
    }
}

/// What follows when a stopping worker is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// It stays down.
    Nothing,
    /// It starts again, as part of a restart.
    Restart,
    /// It starts again, because somebody wants it started.
    Start,
}

/// Told to stop now, by the stop signal or, where there is no time for it, the kill signal.
pub(super) fn asked(now: Instant, next: Next, timeout: Option<Duration>) -> Stop {
    let at_once = timeout == Some(Duration::ZERO);
    Stop {
        pid: None,
        since: now,
        asked: now,
        drain_until: None,
        force_at: timeout.filter(|_| !at_once).map(|wait| after(now, wait)),
        signal: if at_once { Signal::Kill } else { Signal::Stop },
        debugging: false,
        next,
    }
}

pub(super) fn killed(stop: Stop) -> Stop {
    Stop { drain_until: None, force_at: None, signal: Signal::Kill, debugging: false, ..stop }
}

pub(super) fn debugged(stop: Stop) -> Stop {
    Stop { drain_until: None, force_at: None, signal: Signal::Debug, debugging: true, ..stop }
}

/// The standby of a worker that was asked to stop.
pub(super) fn after_stop(next: Next, now: Instant) -> State {
    match next {
        Next::Nothing => State::Standby { due: None, reason: Reason::Stopped },
        Next::Restart | Next::Start => State::Standby { due: Some(now), reason: Reason::Restart },
    }
}

/// A process that does not exist yet is signalled when it does.
pub(super) fn signalled(pid: Option<u32>, signal: Signal) -> Effect {
    pid.map_or(Effect::Nothing, |_| Effect::Signal(signal))
}

pub(super) fn forced(stop: &Stop, after: Duration) -> Effect {
    stop.pid.map_or(Effect::Nothing, |_| Effect::Forced(after))
}

/// Out of rotation, until quiet if it may drain; `by` is when draining ends at the latest.
pub(super) fn leave(
    pid: Option<u32>,
    since: Instant,
    next: Next,
    by: Option<Instant>,
    now: Instant,
    settings: &Settings,
) -> (State, Effect) {
    let stop = Stop { pid, since, ..asked(now, next, settings.stop_timeout) };
    let until = settings.drain_timeout.map(|limit| after(now, limit));
    let until = until.map(|until| by.map_or(until, |by| until.min(by))).filter(|until| *until > now);
    match until {
        Some(until) if pid.is_some() => {
            let signal = Signal::Stop;
            (
                State::Stopping(Stop { drain_until: Some(until), force_at: None, signal, ..stop }),
                Effect::Drain,
            )
        }
        Some(_) | None => (State::Stopping(stop), signalled(pid, stop.signal)),
    }
}

/// It has drained, or had its time to: now it is told to stop.
pub(super) fn cut(stop: Stop, quiet: bool, now: Instant, settings: &Settings) -> (State, Effect) {
    if !stop.drains() {
        return (State::Stopping(stop), Effect::Nothing);
    }
    let Stop { force_at, signal, .. } = asked(now, stop.next, settings.stop_timeout);
    let after = now.saturating_duration_since(stop.asked);
    (
        State::Stopping(Stop { drain_until: None, force_at, signal, ..stop }),
        Effect::Drained { after, quiet, signal },
    )
}

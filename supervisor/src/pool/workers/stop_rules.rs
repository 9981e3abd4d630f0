//! The rules by which a process is drained, told to stop and killed: what its state is, and what is to be done. They perform nothing.

use super::event::Effect;
use crate::pool::vocabulary::deadlines::after;
use crate::pool::{Next, Reason, Settings, Signal, State, Stop};
use std::time::{Duration, Instant};

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
    let stop = asked_to_drain(pid, since, next, by, now, settings);
    let effect = if stop.drains() { Effect::Drain } else { signalled(pid, stop.signal) };
    (State::Stopping(stop), effect)
}

/// How it stops if it may drain first.
pub(super) fn asked_to_drain(
    pid: Option<u32>,
    since: Instant,
    next: Next,
    by: Option<Instant>,
    now: Instant,
    settings: &Settings,
) -> Stop {
    let stop = Stop { pid, since, ..asked(now, next, settings.stop.timeout()) };
    let until = settings.stop.drains_for().map(|limit| after(now, limit));
    let until = until.map(|until| by.map_or(until, |by| until.min(by))).filter(|until| *until > now);
    match until {
        Some(until) if pid.is_some() => {
            Stop { drain_until: Some(until), force_at: None, signal: Signal::Stop, ..stop }
        }
        Some(_) | None => stop,
    }
}

/// It has drained, or had its time to: now it is told to stop.
pub(super) fn cut(stop: Stop, quiet: bool, now: Instant, settings: &Settings) -> (State, Effect) {
    if !stop.drains() {
        return (State::Stopping(stop), Effect::Nothing);
    }
    let Stop { force_at, signal, .. } = asked(now, stop.next, settings.stop.timeout());
    let after = now.saturating_duration_since(stop.asked);
    (
        State::Stopping(Stop { drain_until: None, force_at, signal, ..stop }),
        Effect::Drained { after, quiet, signal },
    )
}

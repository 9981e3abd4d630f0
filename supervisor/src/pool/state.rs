//! The states of a worker and the one table that changes them: every state by every event, without a wildcard.
//! It performs nothing: the effect of a cell is told.

use super::deadlines::after;
use super::stop::{after_stop, asked, cut, debugged, forced, killed, leave, signalled};
use super::{Next, Settings, Signal, Stop};
use std::time::{Duration, Instant};

/// Where a worker is in its life. `pid` is `None` until the shell has told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No process. It starts at `due`, or as soon after as a boot slot is free.
    Standby { due: Option<Instant>, reason: Reason },
    /// Spawned at `since` (ordered then, while `pid` is unknown), not yet listening; holds a boot slot while
    /// `slot_until` is set.
    Starting { pid: Option<u32>, since: Instant, slot_until: Option<Instant> },
    /// It listens, or has had its time to. Until it has `settled` it may yet listen on more addresses.
    Running { pid: Option<u32>, since: Instant, settled: bool },
    /// Told to stop.
    Stopping(Stop),
}

/// Why a worker is in standby.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It has not been started yet.
    Unstarted,
    /// Another process follows.
    Restart,
    /// Its process ended and its restart budget is spent.
    BudgetSpent,
    /// Its process ended with a code that says it has done its work.
    Finished,
    /// It was told to stop.
    Stopped,
}

/// What happens to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// It is to be started at this moment.
    Due(Instant),
    /// It is not to be started again.
    GiveUp,
    /// A process is being ordered for it.
    Order,
    Spawned(u32),
    SpawnFailed,
    /// It is ready: it listens on an address, or has said or shown so.
    Listened,
    /// Its boot is over as far as others are concerned, or it cannot be seen, for `boot_slot`: another may boot.
    SlotFreed,
    /// It was seen to boot.
    StillBoots,
    /// `start_timeout` has passed without a lane.
    StartTimeout,
    /// `start_timeout` has passed, and that is why it is taken down.
    StartFailed,
    /// `start_timeout` has passed since it was spawned.
    Settled,
    /// It drains, and nothing is under way in its connections any more.
    Quiet,
    /// It has drained for as long as it may.
    DrainDue,
    /// `stop_timeout` has passed.
    ForceDue,
    /// It hangs: it is to leave, and another to take its place.
    Hung,
    Exited,
    /// It exited with a code that says it has done its work.
    Finished,
    /// The cluster stops, and it may drain until then.
    Close(Instant),
    /// The cluster stops.
    Shutdown,
    /// The cluster stops at once.
    Kill,
    // Commands.
    Start,
    Stop,
    Restart,
    HangUp,
    ForceStop,
    Dump,
    Debug,
    Signal(i32),
}

/// What follows from an event, for the pool to carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Nothing,
    /// The process exists; if it was told to stop before it did, it is now signalled.
    Started(Option<Signal>),
    /// It listens for the first time, this long after it was spawned.
    Ready(Duration),
    NeverListened(Duration),
    /// Its process hangs, or was not ready in time, and is not its own any more: stop it like this, and restart or give up.
    Hung(Stop),
    /// Its process ended unasked after this long: restart or give up.
    Died(Duration),
    /// Its process has done its work in this time.
    Finished(Duration),
    /// Its process ended as asked after this long.
    Stopped(Duration),
    /// The same, and another is to be started.
    Replaced(Duration),
    /// No process came: restart or give up.
    NotSpawned,
    /// No process came, and none is wanted any more.
    NotSpawnedStopped,
    Signal(Signal),
    /// It is out of rotation: tell when nothing is under way in its connections any more.
    Drain,
    /// It has drained for this long, to the end or not: it is told to stop by this.
    Drained {
        after: Duration,
        quiet: bool,
        signal: Signal,
    },
    /// It had this long to stop: kill it.
    Forced(Duration),
}

/// The table. Each cell is written down, so that a new state or event does not compile until it has been thought of.
pub(super) fn transition(state: State, event: Event, now: Instant, settings: &Settings) -> (State, Effect) {
    use Event as E;
    use State::{Running, Standby, Starting, Stopping};
    let lived = |since: Instant| now.saturating_duration_since(since);
    match (state, event) {
        (Standby { reason: reason @ (Reason::Unstarted | Reason::Restart), .. }, E::Due(at)) => {
            (Standby { due: Some(at), reason }, Effect::Nothing)
        }
        (Standby { reason: Reason::Unstarted | Reason::Restart, .. }, E::GiveUp) => {
            (Standby { due: None, reason: Reason::BudgetSpent }, Effect::Nothing)
        }
        (
            Standby { reason: Reason::BudgetSpent | Reason::Finished | Reason::Stopped, .. },
            E::Due(_) | E::GiveUp,
        ) => (state, Effect::Nothing),
        (Standby { due: Some(_), .. }, E::Order) => {
            let slot_until = (!settings.boot_slot.is_zero()).then(|| after(now, settings.boot_slot));
            (Starting { pid: None, since: now, slot_until }, Effect::Nothing)
        }
        (Standby { due: None, .. }, E::Order) => (state, Effect::Nothing),
        (Standby { due, reason }, E::Start | E::Restart | E::HangUp) => {
            // Who has waited for a boot slot keeps their place.
            let due = Some(due.map_or(now, |at| at.min(now)));
            let reason = if reason == Reason::Unstarted { reason } else { Reason::Restart };
            (Standby { due, reason }, Effect::Nothing)
        }
        (Standby { .. }, E::Stop | E::ForceStop | E::Close(_) | E::Shutdown | E::Kill) => {
            (Standby { due: None, reason: Reason::Stopped }, Effect::Nothing)
        }
        (
            Standby { .. },
            E::Spawned(_)
            | E::SpawnFailed
            | E::Listened
            | E::SlotFreed
            | E::StillBoots
            | E::StartTimeout
            | E::StartFailed
            | E::Settled
            | E::Quiet
            | E::DrainDue
            | E::ForceDue
            | E::Hung
            | E::Exited
            | E::Finished
            | E::Dump
            | E::Debug
            | E::Signal(_),
        ) => (state, Effect::Nothing),

        (Starting { pid: None, since: _, slot_until }, E::Spawned(pid)) => {
            (Starting { pid: Some(pid), since: now, slot_until }, Effect::Started(None))
        }
        (Running { pid: None, since, settled }, E::Spawned(pid)) => {
            (Running { pid: Some(pid), since, settled }, Effect::Started(None))
        }
        (Stopping(stop @ Stop { pid: None, .. }), E::Spawned(pid)) => {
            (Stopping(Stop { pid: Some(pid), ..stop }), Effect::Started(Some(stop.signal)))
        }
        (
            Starting { pid: Some(_), .. }
            | Running { pid: Some(_), .. }
            | Stopping(Stop { pid: Some(_), .. }),
            E::Spawned(_) | E::SpawnFailed,
        ) => (state, Effect::Nothing),
        (Starting { pid: None, .. } | Running { pid: None, .. }, E::SpawnFailed) => {
            (Standby { due: None, reason: Reason::Restart }, Effect::NotSpawned)
        }
        (Stopping(stop @ Stop { pid: None, .. }), E::SpawnFailed) => {
            (after_stop(stop.next, now), Effect::NotSpawnedStopped)
        }

        (Starting { pid, since, .. }, E::Listened) => {
            (Running { pid, since, settled: false }, Effect::Ready(lived(since)))
        }
        (Starting { pid, since, .. }, E::SlotFreed) => {
            (Starting { pid, since, slot_until: None }, Effect::Nothing)
        }
        (Starting { pid, since, slot_until: Some(_) }, E::StillBoots) => {
            let slot_until = Some(after(now, settings.boot_slot));
            (Starting { pid, since, slot_until }, Effect::Nothing)
        }
        (Starting { slot_until: None, .. }, E::StillBoots) => (state, Effect::Nothing),
        (Starting { pid: Some(pid), since, .. }, E::StartTimeout) => {
            (Running { pid: Some(pid), since, settled: true }, Effect::NeverListened(lived(since)))
        }
        (Starting { pid: Some(pid), since, .. }, E::StartFailed) => {
            let stop = killed(Stop { pid: Some(pid), since, ..asked(now, Next::Nothing, None) });
            (Standby { due: None, reason: Reason::Restart }, Effect::Hung(stop))
        }
        (Starting { pid: None, .. }, E::StartTimeout | E::StartFailed) => (state, Effect::Nothing),
        (Running { pid, since, .. }, E::Settled) => (Running { pid, since, settled: true }, Effect::Nothing),
        (Starting { .. } | Running { .. }, E::Quiet | E::DrainDue) => (state, Effect::Nothing),
        (Stopping(stop), E::Quiet | E::DrainDue) => cut(stop, event == E::Quiet, now, settings),
        (Starting { .. }, E::Settled | E::ForceDue) => (state, Effect::Nothing),
        (
            Running { .. },
            E::Listened | E::SlotFreed | E::StillBoots | E::StartTimeout | E::StartFailed | E::ForceDue,
        )
        | (
            Stopping(_),
            E::Listened | E::SlotFreed | E::StillBoots | E::StartTimeout | E::StartFailed | E::Settled,
        ) => (state, Effect::Nothing),

        (Running { pid: Some(pid), since, .. }, E::Hung) => {
            let stop =
                Stop { pid: Some(pid), since, ..asked(now, Next::Nothing, Some(settings.hang_stop_timeout)) };
            (Standby { due: None, reason: Reason::Restart }, Effect::Hung(stop))
        }
        (Starting { .. } | Running { pid: None, .. } | Stopping(_), E::Hung) => (state, Effect::Nothing),

        (Starting { since, .. } | Running { since, .. }, E::Exited) => {
            (Standby { due: None, reason: Reason::Restart }, Effect::Died(lived(since)))
        }
        (Starting { since, .. } | Running { since, .. }, E::Finished) => {
            (Standby { due: None, reason: Reason::Finished }, Effect::Finished(lived(since)))
        }
        // However it ended: it was asked to.
        (Stopping(Stop { since, next: Next::Nothing, .. }), E::Exited | E::Finished) => {
            (after_stop(Next::Nothing, now), Effect::Stopped(lived(since)))
        }
        (Stopping(Stop { since, next, .. }), E::Exited | E::Finished) => {
            (after_stop(next, now), Effect::Replaced(lived(since)))
        }
        (Starting { .. } | Running { .. } | Stopping(_), E::Due(_) | E::GiveUp | E::Order) => {
            (state, Effect::Nothing)
        }

        (Starting { .. } | Running { .. }, E::Start) => (state, Effect::Nothing),
        (Running { pid, since, .. }, E::Stop) => leave(pid, since, Next::Nothing, None, now, settings),
        (Running { pid, since, .. }, E::Restart) => leave(pid, since, Next::Restart, None, now, settings),
        (Running { pid, since, .. }, E::Close(by)) => {
            leave(pid, since, Next::Nothing, Some(by), now, settings)
        }
        (Starting { pid, since, .. }, E::Stop | E::Close(_) | E::Shutdown)
        | (Running { pid, since, .. }, E::Shutdown) => {
            let stop = Stop { pid, since, ..asked(now, Next::Nothing, settings.stop_timeout) };
            (Stopping(stop), signalled(pid, stop.signal))
        }
        (Starting { pid, since, .. }, E::Restart) => {
            let stop = Stop { pid, since, ..asked(now, Next::Restart, settings.stop_timeout) };
            (Stopping(stop), signalled(pid, stop.signal))
        }
        (Starting { pid, since, .. } | Running { pid, since, .. }, E::ForceStop | E::Kill) => {
            let stop = Stop { pid, since, ..asked(now, Next::Nothing, settings.stop_timeout) };
            (Stopping(killed(stop)), signalled(pid, Signal::Kill))
        }
        (Starting { pid, since, .. } | Running { pid, since, .. }, E::Dump) => {
            let stop = Stop { pid, since, ..asked(now, Next::Nothing, settings.stop_timeout) };
            // Even where there is no time to stop: it takes some to write a core.
            (Stopping(Stop { signal: Signal::Abort, ..stop }), signalled(pid, Signal::Abort))
        }
        (Starting { pid, since, .. } | Running { pid, since, .. }, E::Debug) => {
            let stop = debugged(Stop { pid, since, ..asked(now, Next::Nothing, settings.stop_timeout) });
            (Stopping(stop), signalled(pid, Signal::Debug))
        }

        (Stopping(stop), E::Start | E::HangUp) => {
            (Stopping(Stop { next: Next::Start, ..stop }), Effect::Nothing)
        }
        (Stopping(stop), E::Restart) => {
            (Stopping(Stop { next: stop.next.max(Next::Restart), ..stop }), Effect::Nothing)
        }
        (Stopping(stop), E::Stop) => (Stopping(Stop { next: Next::Nothing, ..stop }), Effect::Nothing),
        (Stopping(stop @ Stop { drain_until: Some(until), .. }), E::Close(by)) => {
            let stop = Stop { drain_until: Some(until.min(by)), next: Next::Nothing, ..stop };
            if by <= now { cut(stop, false, now, settings) } else { (Stopping(stop), Effect::Nothing) }
        }
        // Nobody waits for a debugger when all is to end, and what had no time to stop gets it now.
        (Stopping(stop @ Stop { pid, since, .. }), E::Shutdown | E::Close(_)) => {
            let end = Stop { pid, since, ..asked(now, Next::Nothing, settings.stop_timeout) };
            let endless = !stop.forced() && stop.force_at.is_none() && settings.stop_timeout.is_some();
            if stop.debugging || stop.drains() || endless {
                (Stopping(end), signalled(pid, end.signal))
            } else {
                (Stopping(Stop { next: Next::Nothing, ..stop }), Effect::Nothing)
            }
        }
        (Stopping(stop), E::ForceDue | E::ForceStop) if !stop.forced() => {
            (Stopping(killed(stop)), forced(&stop, lived(stop.asked)))
        }
        (Stopping(_), E::ForceDue) => (state, Effect::Nothing),
        (Stopping(stop), E::ForceStop) => (state, signalled(stop.pid, Signal::Kill)),
        (Stopping(stop), E::Kill) if !stop.forced() => {
            let end = Stop { next: Next::Nothing, ..killed(stop) };
            (Stopping(end), forced(&stop, lived(stop.asked)))
        }
        (Stopping(stop), E::Kill) => {
            (Stopping(Stop { next: Next::Nothing, ..stop }), signalled(stop.pid, Signal::Kill))
        }
        // Who has been killed neither dumps nor waits for a debugger.
        (Stopping(stop), E::Dump | E::Debug) if stop.forced() => (state, Effect::Nothing),
        (Stopping(stop @ Stop { pid, since, next, .. }), E::Dump) if stop.drains() => {
            let stop = Stop { pid, since, ..asked(now, next, settings.stop_timeout) };
            (Stopping(Stop { signal: Signal::Abort, ..stop }), signalled(pid, Signal::Abort))
        }
        (Stopping(stop), E::Dump) => {
            (Stopping(Stop { signal: Signal::Abort, ..stop }), signalled(stop.pid, Signal::Abort))
        }
        (Stopping(stop), E::Debug) => (Stopping(debugged(stop)), signalled(stop.pid, Signal::Debug)),

        (Starting { pid, .. } | Running { pid, .. }, E::HangUp) => (state, signalled(pid, Signal::HangUp)),
        (Starting { pid, .. } | Running { pid, .. } | Stopping(Stop { pid, .. }), E::Signal(number)) => {
            (state, signalled(pid, Signal::Number(number)))
        }
    }
}

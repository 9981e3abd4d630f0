//! The one table that changes the state of a process: every state by every event, without a wildcard. It performs nothing:
//! the effect of a cell is told.

use super::event::{Effect, Event};
use super::stop_rules::{after_stop, asked, asked_to_drain, cut, debugged, forced, killed, leave, signalled};
use crate::pool::vocabulary::deadlines::after;
use crate::pool::{Next, Reason, Settings, Signal, State, Stop};
use std::time::Instant;

/// The table. Each cell is written down, so that a new state or event does not compile until it has been thought of.
pub(in crate::pool) fn transition(
    state: State,
    event: Event,
    now: Instant,
    settings: &Settings,
) -> (State, Effect) {
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
            | E::Ready
            | E::SlotFreed
            | E::StillBoots
            | E::StartTimeout
            | E::StartFailed
            | E::Settled
            | E::Quiet
            | E::DrainDue
            | E::ForceDue
            | E::Hung
            | E::MainEnded
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

        (Starting { pid, since, .. }, E::Ready) => {
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
            (Standby { due: None, reason: Reason::Restart }, Effect::Evicted(stop))
        }
        (Starting { pid: None, .. }, E::StartTimeout | E::StartFailed) => (state, Effect::Nothing),
        (Running { pid, since, .. }, E::Settled) => (Running { pid, since, settled: true }, Effect::Nothing),
        (Starting { .. } | Running { .. }, E::Quiet | E::DrainDue) => (state, Effect::Nothing),
        (Stopping(stop), E::Quiet | E::DrainDue) => cut(stop, event == E::Quiet, now, settings),
        (Starting { .. }, E::Settled | E::ForceDue) => (state, Effect::Nothing),
        (
            Running { .. },
            E::Ready | E::SlotFreed | E::StillBoots | E::StartTimeout | E::StartFailed | E::ForceDue,
        )
        | (
            Stopping(_),
            E::Ready | E::SlotFreed | E::StillBoots | E::StartTimeout | E::StartFailed | E::Settled,
        ) => (state, Effect::Nothing),

        (Running { pid: Some(pid), since, .. }, E::Hung) => {
            let stop =
                Stop { pid: Some(pid), since, ..asked(now, Next::Nothing, Some(settings.hang_stop_timeout)) };
            (Standby { due: None, reason: Reason::Restart }, Effect::Evicted(stop))
        }
        (Running { pid: pid @ Some(_), since, .. }, E::MainEnded) => {
            let stop = asked_to_drain(pid, since, Next::Nothing, None, now, settings);
            (Standby { due: None, reason: Reason::Restart }, Effect::Evicted(stop))
        }
        (Starting { .. } | Running { pid: None, .. } | Stopping(_), E::Hung | E::MainEnded) => {
            (state, Effect::Nothing)
        }

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
            let stop = Stop { pid, since, ..asked(now, Next::Nothing, settings.stop.timeout()) };
            (Stopping(stop), signalled(pid, stop.signal))
        }
        (Starting { pid, since, .. }, E::Restart) => {
            let stop = Stop { pid, since, ..asked(now, Next::Restart, settings.stop.timeout()) };
            (Stopping(stop), signalled(pid, stop.signal))
        }
        (Starting { pid, since, .. } | Running { pid, since, .. }, E::ForceStop | E::Kill) => {
            let stop = Stop { pid, since, ..asked(now, Next::Nothing, settings.stop.timeout()) };
            (Stopping(killed(stop)), signalled(pid, Signal::Kill))
        }
        (Starting { pid, since, .. } | Running { pid, since, .. }, E::Dump) => {
            let stop = Stop { pid, since, ..asked(now, Next::Nothing, settings.stop.timeout()) };
            // Even where there is no time to stop: it takes some to write a core.
            (Stopping(Stop { signal: Signal::Abort, ..stop }), signalled(pid, Signal::Abort))
        }
        (Starting { pid, since, .. } | Running { pid, since, .. }, E::Debug) => {
            let stop = debugged(Stop { pid, since, ..asked(now, Next::Nothing, settings.stop.timeout()) });
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
            let end = Stop { pid, since, ..asked(now, Next::Nothing, settings.stop.timeout()) };
            let endless = !stop.forced() && stop.force_at.is_none() && settings.stop.timeout().is_some();
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
            let stop = Stop { pid, since, ..asked(now, next, settings.stop.timeout()) };
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

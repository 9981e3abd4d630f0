//! The states of a worker and the one table that changes them: every state by every event, without a wildcard.
//! It performs nothing: the effect of a cell is told.

use super::deadlines::after;
use super::{Settings, Signal};
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
    /// Told to stop at `asked`; killed at `force_at`, after which it is `forced`.
    Stopping { pid: Option<u32>, since: Instant, asked: Instant, force_at: Option<Instant>, forced: bool },
}

/// Why a worker is in standby.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It has not been started yet.
    Unstarted,
    /// Its process ended and another follows.
    Restart,
    /// Its process ended and its restart budget is spent.
    BudgetSpent,
    /// The cluster stops.
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
    /// It listens on an address.
    Listened,
    /// `boot_slot` has passed.
    SlotExpired,
    /// `start_timeout` has passed without a lane.
    StartTimeout,
    /// `start_timeout` has passed since it was spawned.
    Settled,
    Stop,
    /// `stop_timeout` has passed.
    ForceDue,
    Kill,
    Exited,
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
    /// Its process ended unasked after this long: restart or give up.
    Died(Duration),
    /// Its process ended as asked after this long.
    Stopped(Duration),
    /// No process came: restart or give up.
    NotSpawned,
    /// No process came, and none is wanted any more.
    NotSpawnedStopped,
    Signal(Signal),
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
        (Standby { reason: Reason::BudgetSpent | Reason::Stopped, .. }, E::Due(_) | E::GiveUp) => {
            (state, Effect::Nothing)
        }
        (Standby { due: Some(_), .. }, E::Order) => {
            let slot_until = (!settings.boot_slot.is_zero()).then(|| after(now, settings.boot_slot));
            (Starting { pid: None, since: now, slot_until }, Effect::Nothing)
        }
        (Standby { due: None, .. }, E::Order) => (state, Effect::Nothing),
        (Standby { .. }, E::Stop | E::Kill) => {
            (Standby { due: None, reason: Reason::Stopped }, Effect::Nothing)
        }
        (
            Standby { .. },
            E::Spawned(_)
            | E::SpawnFailed
            | E::Listened
            | E::SlotExpired
            | E::StartTimeout
            | E::Settled
            | E::ForceDue
            | E::Exited,
        ) => (state, Effect::Nothing),

        (Starting { pid: None, since: _, slot_until }, E::Spawned(pid)) => {
            (Starting { pid: Some(pid), since: now, slot_until }, Effect::Started(None))
        }
        (Running { pid: None, since, settled }, E::Spawned(pid)) => {
            (Running { pid: Some(pid), since, settled }, Effect::Started(None))
        }
        (Stopping { pid: None, since, asked, force_at, forced }, E::Spawned(pid)) => {
            let signal = if forced { Signal::Kill } else { Signal::Stop };
            (Stopping { pid: Some(pid), since, asked, force_at, forced }, Effect::Started(Some(signal)))
        }
        (
            Starting { pid: Some(_), .. } | Running { pid: Some(_), .. } | Stopping { pid: Some(_), .. },
            E::Spawned(_) | E::SpawnFailed,
        ) => (state, Effect::Nothing),
        (Starting { pid: None, .. } | Running { pid: None, .. }, E::SpawnFailed) => {
            (Standby { due: None, reason: Reason::Restart }, Effect::NotSpawned)
        }
        (Stopping { pid: None, .. }, E::SpawnFailed) => {
            (Standby { due: None, reason: Reason::Stopped }, Effect::NotSpawnedStopped)
        }

        (Starting { pid, since, .. }, E::Listened) => {
            (Running { pid, since, settled: false }, Effect::Ready(lived(since)))
        }
        (Starting { pid, since, .. }, E::SlotExpired) => {
            (Starting { pid, since, slot_until: None }, Effect::Nothing)
        }
        (Starting { pid: Some(pid), since, .. }, E::StartTimeout) => {
            (Running { pid: Some(pid), since, settled: true }, Effect::NeverListened(lived(since)))
        }
        (Starting { pid: None, .. }, E::StartTimeout) => (state, Effect::Nothing),
        (Running { pid, since, .. }, E::Settled) => (Running { pid, since, settled: true }, Effect::Nothing),
        (Starting { .. }, E::Settled | E::ForceDue) => (state, Effect::Nothing),
        (Running { .. }, E::Listened | E::SlotExpired | E::StartTimeout | E::ForceDue) => {
            (state, Effect::Nothing)
        }
        (Stopping { .. }, E::Listened | E::SlotExpired | E::StartTimeout | E::Settled | E::Stop) => {
            (state, Effect::Nothing)
        }

        (Starting { pid, since, .. } | Running { pid, since, .. }, E::Stop) => {
            let forced = settings.stop_timeout == Some(Duration::ZERO);
            let force_at = settings.stop_timeout.filter(|_| !forced).map(|wait| after(now, wait));
            let signal = if forced { Signal::Kill } else { Signal::Stop };
            (Stopping { pid, since, asked: now, force_at, forced }, signalled(pid, signal))
        }
        (Starting { pid, since, .. } | Running { pid, since, .. }, E::Kill) => {
            let killed = Stopping { pid, since, asked: now, force_at: None, forced: true };
            (killed, signalled(pid, Signal::Kill))
        }
        (Stopping { pid, since, asked, forced: false, .. }, E::ForceDue | E::Kill) => {
            let killed = Stopping { pid, since, asked, force_at: None, forced: true };
            (killed, pid.map_or(Effect::Nothing, |_| Effect::Forced(lived(asked))))
        }
        (Stopping { forced: true, .. }, E::ForceDue) => (state, Effect::Nothing),
        (Stopping { pid, forced: true, .. }, E::Kill) => (state, signalled(pid, Signal::Kill)),

        (Starting { since, .. } | Running { since, .. }, E::Exited) => {
            (Standby { due: None, reason: Reason::Restart }, Effect::Died(lived(since)))
        }
        (Stopping { since, .. }, E::Exited) => {
            (Standby { due: None, reason: Reason::Stopped }, Effect::Stopped(lived(since)))
        }
        (Starting { .. } | Running { .. } | Stopping { .. }, E::Due(_) | E::GiveUp | E::Order) => {
            (state, Effect::Nothing)
        }
    }
}

/// A process that does not exist yet is signalled when it does.
fn signalled(pid: Option<u32>, signal: Signal) -> Effect {
    pid.map_or(Effect::Nothing, |_| Effect::Signal(signal))
}

//! One worker: a slot, the state of the process in it, and what is left of its restart budget.
//! It sends nothing and counts no one else: what follows from an event is told as an `Effect`.

use super::backoff::Backoff;
use super::deadlines::after;
use super::state::{Effect, Event, Reason, State, transition};
use super::{Deadline, Settings, Timer};
use crate::ids::WorkerId;
use std::time::Instant;

/// A slot and the process in it.
#[derive(Clone, Debug)]
pub struct Worker {
    id: WorkerId,
    state: State,
    pub(super) backoff: Backoff,
}

impl Worker {
    pub(super) fn new(slot: u32, settings: &Settings) -> Self {
        Self {
            id: WorkerId { slot, incarnation: 0 },
            state: State::Standby { due: None, reason: Reason::Unstarted },
            backoff: Backoff::new(slot, settings),
        }
    }

    /// The slot and the incarnation of the current or last process; 0 before the first.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// The current state.
    pub fn state(&self) -> State {
        self.state
    }

    /// The first process of the current incarnation, once known.
    pub fn pid(&self) -> Option<u32> {
        match self.state {
            State::Standby { .. } => None,
            State::Starting { pid, .. } | State::Running { pid, .. } | State::Stopping { pid, .. } => pid,
        }
    }

    /// A process runs in the slot or has been ordered.
    pub fn is_live(&self) -> bool {
        !matches!(self.state, State::Standby { .. })
    }

    /// Restarts left before the worker stays down; `None` is no limit.
    pub fn restarts_left(&self) -> Option<u32> {
        self.backoff.left()
    }

    /// It has been told to stop.
    pub fn is_stopping(&self) -> bool {
        matches!(self.state, State::Stopping { .. })
    }

    /// It has run out of restarts.
    pub(super) fn is_spent(&self) -> bool {
        matches!(self.state, State::Standby { reason: Reason::BudgetSpent, .. })
    }

    /// When a worker in standby is to be started.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.state {
            State::Standby { due, .. } => due,
            State::Starting { .. } | State::Running { .. } | State::Stopping { .. } => None,
        }
    }

    pub(super) fn holds_boot_slot(&self) -> bool {
        matches!(self.state, State::Starting { slot_until: Some(_), .. })
    }

    /// A process of it is on its way: starting, or to be started.
    pub(super) fn is_coming(&self) -> bool {
        matches!(self.state, State::Starting { .. } | State::Standby { due: Some(_), .. })
    }

    /// It may be about to listen on an address on which it does not listen yet.
    pub(super) fn may_yet_listen(&self) -> bool {
        self.is_coming() || matches!(self.state, State::Running { settled: false, .. })
    }

    /// The event goes into the table; what follows comes out.
    pub(super) fn apply(&mut self, now: Instant, event: Event, settings: &Settings) -> Effect {
        let before = self.state;
        let (state, effect) = transition(before, event, now, settings);
        self.state = state;
        if event == Event::Order && state != before {
            self.id.incarnation += 1;
        }
        effect
    }

    /// The moments this worker waits for.
    pub(super) fn timers(&self, settings: &Settings) -> impl Iterator<Item = (Deadline, Timer)> + use<> {
        let start_timeout = settings.start_timeout;
        let (first, second) = match self.state {
            State::Standby { due, .. } => (due.map(|at| (at, Timer::Restart)), None),
            State::Starting { pid, since, slot_until } => (
                slot_until.map(|at| (at, Timer::BootSlot)),
                pid.map(|_| (after(since, start_timeout), Timer::StartTimeout)),
            ),
            State::Running { settled: true, .. } => (None, None),
            State::Running { since, settled: false, .. } => {
                (Some((after(since, start_timeout), Timer::Settle)), None)
            }
            State::Stopping { force_at, .. } => (force_at.map(|at| (at, Timer::Force)), None),
        };
        first.into_iter().chain(second)
    }

    /// The event of a moment that has come, but for `Timer::Restart`, which also needs a boot slot.
    pub(super) fn due_event(&self, now: Instant, settings: &Settings) -> Option<Event> {
        self.timers(settings).filter(|(at, _)| *at <= now).find_map(|(_, timer)| match timer {
            Timer::BootSlot => Some(Event::SlotExpired),
            Timer::StartTimeout => Some(Event::StartTimeout),
            Timer::Settle => Some(Event::Settled),
            Timer::Force => Some(Event::ForceDue),
            Timer::Restart | Timer::Look => None,
        })
    }
}

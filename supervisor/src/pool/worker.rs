//! One worker: a slot, the state of the process in it, and what is left of its restart budget.
//! It sends nothing and counts no one else: what follows from an event is told as an `Effect`.

use super::backoff::Backoff;
use super::boot::Boot;
use super::booting::Booting;
use super::deadlines::after;
use super::lane::Gate;
use super::load::Load;
use super::promise::Promise;
use super::state::{Effect, Event, Reason, State, transition};
use super::stop::{Next, Stop};
use super::suspicion::Health;
use super::wear::Wear;
use super::{Deadline, Exit, Settings, Timer};
use crate::ids::WorkerId;
use std::time::Instant;

/// A slot and the process in it.
#[derive(Clone, Debug)]
pub struct Worker {
    id: WorkerId,
    /// The incarnation of the next process that is ordered.
    pub(super) next: u32,
    /// Which of the cluster's versions its processes are made of.
    pub(super) version: u32,
    state: State,
    /// What the shell takes the state to be.
    told: State,
    pub(super) backoff: Backoff,
    pub(super) load: Load,
    pub(super) health: Health,
    pub(super) cordoned: bool,
    pub(super) promise: Promise,
    pub(super) boot: Boot,
    pub(super) booting: Booting,
    /// The slot was scaled away: the worker disappears when its process is gone.
    pub(super) removed: bool,
    /// A process of it has ended unasked, or did not come to be.
    pub(super) has_died: bool,
    pub(super) last_exit: Option<Exit>,
    pub(super) wear: Wear,
    processes: u64,
}

impl Worker {
    /// `past` is the incarnation of the last process that the slot had when it was scaled away.
    pub(super) fn new(slot: u32, past: u32, settings: &Settings) -> Self {
        let state = State::Standby { due: None, reason: Reason::Unstarted };
        Self {
            id: WorkerId { slot, incarnation: past },
            next: past + 1,
            version: 0,
            state,
            told: state,
            backoff: Backoff::new(slot, settings),
            load: Load::default(),
            health: Health::default(),
            cordoned: false,
            promise: Promise::default(),
            boot: Boot::default(),
            booting: Booting::default(),
            removed: false,
            has_died: false,
            last_exit: None,
            wear: Wear::default(),
            processes: 0,
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
            State::Starting { pid, .. } | State::Running { pid, .. } => pid,
            State::Stopping(stop) => stop.pid,
        }
    }

    /// When the current process was spawned, or ordered.
    pub fn since(&self) -> Option<Instant> {
        match self.state {
            State::Standby { .. } => None,
            State::Starting { since, .. } | State::Running { since, .. } => Some(since),
            State::Stopping(stop) => Some(stop.since),
        }
    }

    /// A process runs in the slot or has been ordered.
    pub fn is_live(&self) -> bool {
        !matches!(self.state, State::Standby { .. })
    }

    /// It is ready, or has had its time to be.
    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// Since when it has been a suspect for its lag, and thus out of rotation.
    pub fn suspect_since(&self) -> Option<Instant> {
        self.health.suspect_since()
    }

    /// It takes the place of a process that hung, and is not running yet.
    pub fn is_replacing(&self) -> bool {
        self.health.replacing
    }

    /// It has said that it is about to end.
    pub fn has_resigned(&self) -> bool {
        self.promise.resigned
    }

    /// It has been told to stop.
    pub fn is_stopping(&self) -> bool {
        matches!(self.state, State::Stopping(_))
    }

    /// It gets no connections because somebody said so.
    pub fn is_cordoned(&self) -> bool {
        self.cordoned
    }

    /// The slot was scaled away; it is there no longer once its process is gone.
    pub fn is_removed(&self) -> bool {
        self.removed
    }

    /// Restarts left before the worker stays down; `None` is no limit.
    pub fn restarts_left(&self) -> Option<u32> {
        self.backoff.left()
    }

    /// Processes started in the slot after the first.
    pub fn restarts(&self) -> u64 {
        self.processes.saturating_sub(1)
    }

    /// How the last process ended.
    pub fn last_exit(&self) -> Option<Exit> {
        self.last_exit
    }

    /// Connections dispatched to it so far, over all its processes, counting again those that came back.
    pub fn dispatched(&self) -> u64 {
        self.load.dispatched()
    }

    /// Connections that are open in its process, with those given since they were counted; `None` until they were.
    pub fn open_connections(&self) -> Option<u64> {
        self.load.counted()
    }

    /// It has as many connections as it may.
    pub fn is_full(&self, settings: &Settings) -> bool {
        self.load.is_full(settings)
    }

    /// It will not run again by itself.
    pub(super) fn is_over(&self) -> bool {
        match self.state {
            State::Standby { reason: Reason::BudgetSpent | Reason::Finished, .. } => true,
            State::Standby { .. } => self.removed,
            State::Starting { .. } | State::Running { .. } | State::Stopping(_) => false,
        }
    }

    /// It has done its work.
    pub(super) fn is_finished(&self) -> bool {
        matches!(self.state, State::Standby { reason: Reason::Finished, .. })
    }

    /// When a worker in standby is to be started.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.state {
            State::Standby { due, .. } => due,
            State::Starting { .. } | State::Running { .. } | State::Stopping(_) => None,
        }
    }

    pub(super) fn holds_boot_slot(&self) -> bool {
        matches!(self.state, State::Starting { slot_until: Some(_), .. })
    }

    /// A process of it is on its way: starting, or to be started.
    pub(super) fn is_coming(&self) -> bool {
        match self.state {
            State::Standby { due, .. } => due.is_some(),
            State::Starting { .. } => true,
            State::Running { .. } => false,
            State::Stopping(stop) => stop.next != Next::Nothing,
        }
    }

    /// It is down, or going to be, until somebody says otherwise.
    pub(super) fn may_be_started(&self) -> bool {
        match self.state {
            State::Standby { reason: Reason::Stopped, .. } | State::Stopping(_) => !self.removed,
            State::Standby { .. } | State::Starting { .. } | State::Running { .. } => false,
        }
    }

    /// It runs and may be about to listen on an address on which it does not listen yet.
    pub(super) fn is_settling(&self) -> bool {
        matches!(self.state, State::Running { settled: false, .. })
    }

    /// What its lanes may be given.
    pub(super) fn gate(&self, settings: &Settings) -> Gate {
        match self.state {
            State::Standby { .. } | State::Stopping(_) => Gate::Leaving,
            State::Starting { .. } | State::Running { .. } if self.cordoned => Gate::Cordoned,
            State::Starting { .. } => Gate::Waiting,
            State::Running { .. } if self.promise.resigned => Gate::Waiting,
            State::Running { .. } if self.health.is_suspect() => Gate::Suspect,
            State::Running { .. } if self.load.is_full(settings) => Gate::AtLimit,
            State::Running { .. } => Gate::Open,
        }
    }

    /// One that is to take the place of this one: what the slot is known for stays the slot's.
    pub(super) fn successor(&mut self, version: u32, settings: &Settings) -> Self {
        let id = WorkerId { slot: self.id.slot, incarnation: self.next };
        let new = Self::new(id.slot, self.next, settings);
        self.next += 1;
        Self { next: id.incarnation, version, cordoned: self.cordoned, ..new }
    }

    /// It takes the place of `old`.
    pub(super) fn inherit(&mut self, old: &Self) {
        self.next = self.next.max(old.next);
        self.backoff = old.backoff.clone();
        self.wear.begin_after(old.load.dispatched());
        self.wear.succeed(&old.wear);
        self.load.inherit(&old.load);
        self.has_died |= old.has_died;
        self.last_exit = self.last_exit.or(old.last_exit);
        self.processes += old.processes;
    }

    /// The event goes into the table; what follows comes out.
    pub(super) fn apply(&mut self, now: Instant, event: Event, settings: &Settings) -> Effect {
        let before = self.state;
        let (state, effect) = transition(before, event, now, settings);
        self.state = state;
        if event == Event::Order && state != before {
            self.id.incarnation = self.next;
            self.next += 1;
            self.promise = Promise::default();
            self.boot = Boot::default();
            self.booting = Booting::default();
            let old = std::mem::take(&mut self.wear);
            self.wear = Wear::new(now, self.id, self.load.dispatched(), settings);
            self.wear.succeed(&old);
        }
        if matches!(effect, Effect::Ready(_) | Effect::NeverListened(_)) {
            self.boot.became_ready(now);
        }
        if !self.is_live() {
            self.load.forget();
        }
        if !self.is_running() {
            self.health.forget();
        }
        self.health.replacing &= self.is_coming();
        self.processes += u64::from(matches!(effect, Effect::Started(_)));
        effect
    }

    /// The state, if the shell takes it to be another.
    pub(super) fn untold(&self) -> Option<State> {
        (visible(self.told) != visible(self.state)).then_some(self.state)
    }

    /// The shell has been told.
    pub(super) fn tell(&mut self) {
        self.told = self.state;
    }

    /// The moments this worker waits for.
    pub(super) fn timers(&self, settings: &Settings) -> impl Iterator<Item = (Deadline, Timer)> + use<> {
        let start_timeout = settings.start_timeout;
        let (first, second) = match self.state {
            State::Standby { due, .. } => (due.map(|at| (at, Timer::Restart)), None),
            State::Starting { pid, since, slot_until } => (
                slot_until.map(|at| (at, Timer::BootSlot)),
                pid.map(|_| (self.promise.start_by(after(since, start_timeout)), Timer::StartTimeout)),
            ),
            State::Running { settled: true, .. } => (None, None),
            State::Running { since, settled: false, .. } => {
                (Some((after(since, start_timeout), Timer::Settle)), None)
            }
            State::Stopping(Stop { force_at, drain_until, .. }) => {
                (force_at.map(|at| (at, Timer::Force)), drain_until.map(|at| (at, Timer::Drain)))
            }
        };
        let count = self.load.count_at().map(|at| (at, Timer::Count));
        first.into_iter().chain(second).chain(count)
    }

    /// The event of a moment that has come, but for `Timer::Restart`, which also needs a boot slot.
    pub(super) fn due_event(&self, now: Instant, settings: &Settings) -> Option<Event> {
        self.timers(settings).filter(|(at, _)| *at <= now).find_map(|(_, timer)| match timer {
            Timer::BootSlot => Some(Event::SlotFreed),
            Timer::StartTimeout => Some(Event::StartTimeout),
            Timer::Settle => Some(Event::Settled),
            Timer::Force => Some(Event::ForceDue),
            Timer::Drain => Some(Event::DrainDue),
            Timer::Restart
            | Timer::Queue
            | Timer::Look
            | Timer::Count
            | Timer::Reopen
            | Timer::Admission
            | Timer::Refuse => None,
            Timer::Boot | Timer::Wear | Timer::Rollout | Timer::Close => None,
        })
    }
}

/// The state without the moments that only the pool cares about.
fn visible(state: State) -> State {
    match state {
        State::Standby { .. } | State::Stopping(_) => state,
        State::Starting { pid, since, .. } => State::Starting { pid, since, slot_until: None },
        State::Running { pid, since, .. } => State::Running { pid, since, settled: true },
    }
}

//! One process of a slot: its state, what it carries and how it is, and which part it plays in its slot. It sends nothing and
//! counts no other process: what follows from an event is told as an `Effect`.

use super::event::{Effect, Event};
use super::slot::Slot;
use super::transition::transition;
use crate::ids::WorkerId;
use crate::pool::lanes::status::Eligibility;
use crate::pool::vitals::boot::{Boot, Booting};
use crate::pool::vitals::load::Load;
use crate::pool::vitals::recycle::Recycle;
use crate::pool::vitals::suspicion::Health;
use crate::pool::vitals::trust::SelfReport;
use crate::pool::vocabulary::deadlines::after;
use crate::pool::{Deadline, Next, Reason, Settings, State, Stop, Then, Timer};
use std::time::Instant;

/// Which part a process plays in its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Role {
    /// It has the slot. While no process has it, one in standby stands for it, under the name of the last.
    Current,
    /// It starts beside the current one, to take its place; one that is not `wanted` any more only has to end.
    Successor { wanted: bool },
    /// Another has its place, and it only has to end: `then` is what follows it, as it is told. It may still take what it had
    /// been given if it `keeps_lanes`.
    Retiring { then: Then, keeps_lanes: bool },
}

/// A process, or one that is to be.
#[derive(Clone, Debug)]
pub(in crate::pool) struct Process {
    id: WorkerId,
    pub(in crate::pool) role: Role,
    /// It was named for a process that has not been ordered yet.
    has_own_name: bool,
    /// Which of the cluster's versions it is made of.
    pub(in crate::pool) version: u32,
    state: State,
    /// What the shell takes the state to be.
    told: State,
    pub(in crate::pool) load: Load,
    pub(in crate::pool) health: Health,
    pub(in crate::pool) self_report: SelfReport,
    pub(in crate::pool) boot: Boot,
    pub(in crate::pool) booting: Booting,
    pub(in crate::pool) recycle: Recycle,
}

impl Process {
    /// Nothing has been ordered yet.
    pub(in crate::pool) fn new(id: WorkerId, role: Role, version: u32) -> Self {
        let state = State::Standby { due: None, reason: Reason::Unstarted };
        Self {
            id,
            role,
            has_own_name: matches!(role, Role::Successor { .. }),
            version,
            state,
            told: state,
            load: Load::default(),
            health: Health::default(),
            self_report: SelfReport::default(),
            boot: Boot::default(),
            booting: Booting::default(),
            recycle: Recycle::default(),
        }
    }

    /// One that lives on beside its slot, and only has to end.
    pub(in crate::pool) fn retiring(
        id: WorkerId,
        version: u32,
        stop: Stop,
        then: Then,
        keeps_lanes: bool,
    ) -> Self {
        let state = State::Stopping(stop);
        Self { state, told: state, ..Self::new(id, Role::Retiring { then, keeps_lanes }, version) }
    }

    /// Its name. One that stands for a slot without a process has the name of the last, or incarnation 0 before the first.
    pub(in crate::pool) fn id(&self) -> WorkerId {
        self.id
    }

    /// The current state.
    pub(in crate::pool) fn state(&self) -> State {
        self.state
    }

    /// Its first process id, once known.
    pub(in crate::pool) fn pid(&self) -> Option<u32> {
        match self.state {
            State::Standby { .. } => None,
            State::Starting { pid, .. } | State::Running { pid, .. } => pid,
            State::Stopping(stop) => stop.pid,
        }
    }

    /// When it was spawned, or ordered.
    pub(in crate::pool) fn since(&self) -> Option<Instant> {
        match self.state {
            State::Standby { .. } => None,
            State::Starting { since, .. } | State::Running { since, .. } => Some(since),
            State::Stopping(stop) => Some(stop.since),
        }
    }

    /// How it stops, if it does.
    pub(in crate::pool) fn stop(&self) -> Option<Stop> {
        match self.state {
            State::Stopping(stop) => Some(stop),
            State::Standby { .. } | State::Starting { .. } | State::Running { .. } => None,
        }
    }

    /// It runs or has been ordered.
    pub(in crate::pool) fn is_live(&self) -> bool {
        !matches!(self.state, State::Standby { .. })
    }

    /// It is ready, or has had its time to be.
    pub(in crate::pool) fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    pub(in crate::pool) fn is_current(&self) -> bool {
        self.role == Role::Current
    }

    pub(in crate::pool) fn is_successor(&self) -> bool {
        matches!(self.role, Role::Successor { .. })
    }

    pub(in crate::pool) fn is_retiring(&self) -> bool {
        matches!(self.role, Role::Retiring { .. })
    }

    /// It retires, and may still take what it had been given.
    pub(in crate::pool) fn keeps_lanes(&self) -> bool {
        matches!(self.role, Role::Retiring { keeps_lanes: true, .. })
    }

    /// It will not run again by itself. `unwanted`: it is not to.
    pub(in crate::pool) fn is_over(&self, unwanted: bool) -> bool {
        match self.state {
            State::Standby { reason: Reason::BudgetSpent | Reason::Finished, .. } => true,
            State::Standby { .. } => unwanted,
            State::Starting { .. } | State::Running { .. } | State::Stopping(_) => false,
        }
    }

    /// It has done its work.
    pub(in crate::pool) fn is_finished(&self) -> bool {
        matches!(self.state, State::Standby { reason: Reason::Finished, .. })
    }

    /// When one in standby is to be started.
    pub(in crate::pool) fn due(&self) -> Option<Instant> {
        match self.state {
            State::Standby { due, .. } => due,
            State::Starting { .. } | State::Running { .. } | State::Stopping(_) => None,
        }
    }

    pub(in crate::pool) fn holds_boot_slot(&self) -> bool {
        matches!(self.state, State::Starting { slot_until: Some(_), .. })
    }

    /// It is on its way: starting, or to be started.
    pub(in crate::pool) fn is_coming(&self) -> bool {
        match self.state {
            State::Standby { due, .. } => due.is_some(),
            State::Starting { .. } => true,
            State::Running { .. } => false,
            State::Stopping(stop) => stop.next != Next::Nothing,
        }
    }

    /// It is down, or going to be, until somebody says otherwise.
    pub(in crate::pool) fn is_down(&self) -> bool {
        matches!(self.state, State::Standby { reason: Reason::Stopped, .. } | State::Stopping(_))
    }

    /// It runs and may be about to listen on an address on which it does not listen yet.
    pub(in crate::pool) fn is_settling(&self) -> bool {
        matches!(self.state, State::Running { settled: false, .. })
    }

    /// What its lanes may be given.
    pub(in crate::pool) fn eligibility(&self, cordoned: bool, settings: &Settings) -> Eligibility {
        match self.state {
            State::Standby { .. } | State::Stopping(_) => Eligibility::Stopping,
            State::Starting { .. } | State::Running { .. } if cordoned => Eligibility::Cordoned,
            State::Starting { .. } => Eligibility::Waiting,
            State::Running { .. } if self.self_report.stopping => Eligibility::Waiting,
            State::Running { .. } if self.health.is_suspect() => Eligibility::Suspect,
            State::Running { .. } if self.load.is_full(settings) => Eligibility::AtLimit,
            State::Running { .. } => Eligibility::Open,
        }
    }

    /// The event goes into the table; what follows comes out.
    pub(in crate::pool) fn apply(&mut self, now: Instant, event: Event, settings: &Settings) -> Effect {
        let (state, effect) = transition(self.state, event, now, settings);
        self.state = state;
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
        effect
    }

    /// It is ordered. What stands for a slot becomes the slot's next process and gets a new name. A successor got its name when it
    /// was made, and keeps it if it has been given the slot before it could be ordered: the rollout knows it by that.
    pub(in crate::pool) fn order(&mut self, now: Instant, slot: &mut Slot, settings: &Settings) {
        if !std::mem::take(&mut self.has_own_name) {
            self.id = slot.name_next();
            slot.keep(self.load.take_dispatched(), self.recycle.footprint);
        }
        self.self_report = SelfReport::default();
        self.boot = Boot::default();
        self.booting = Booting::default();
        self.recycle = Recycle::new(now, self.id, settings);
        if self.is_current() {
            self.recycle.succeed(slot.footprint());
        }
        self.apply(now, Event::Order, settings);
    }

    /// The state, if the shell takes it to be another.
    pub(in crate::pool) fn untold(&self) -> Option<State> {
        (visible(self.told) != visible(self.state)).then_some(self.state)
    }

    /// The shell has been told.
    pub(in crate::pool) fn tell(&mut self) {
        self.told = self.state;
    }

    /// The moments it waits for.
    pub(in crate::pool) fn timers(
        &self,
        settings: &Settings,
    ) -> impl Iterator<Item = (Deadline, Timer)> + use<> {
        let start_timeout = settings.readiness.start_timeout;
        let (first, second) = match self.state {
            State::Standby { due, .. } => (due.map(|at| (at, Timer::Restart)), None),
            State::Starting { pid, since, slot_until } => (
                slot_until.map(|at| (at, Timer::BootSlot)),
                pid.map(|_| (self.self_report.start_by(after(since, start_timeout)), Timer::StartTimeout)),
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
    pub(in crate::pool) fn due_event(&self, now: Instant, settings: &Settings) -> Option<Event> {
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
            Timer::Boot | Timer::Recycle | Timer::Rollout | Timer::Close => None,
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

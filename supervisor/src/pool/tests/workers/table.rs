//! Every cell of the worker's table: for each state the cells that change or tell something, and that all others do not.

use crate::pool::tests::sim::{ms, settings};
use crate::pool::workers::event::{Effect, Event};
use crate::pool::workers::transition::transition;
use crate::pool::{Next, Reason, Settings, Signal, State, Stop};
use std::time::{Duration, Instant};

/// All events; `at` is what those are about that carry a moment.
fn events(at: Instant) -> Vec<Event> {
    let mut events = Event::one_of_each(at);
    events.push(Event::Signal(-1));
    events
}

pub(super) type Cell = (Event, State, Effect);

pub(super) struct Row {
    pub(super) settings: Settings,
    pub(super) born: Instant,
    pub(super) now: Instant,
}

impl Row {
    #[expect(clippy::disallowed_methods, reason = "a virtual clock has to begin at some real instant")]
    pub(super) fn new() -> Self {
        let born = Instant::now();
        Self { settings: settings(1), born, now: born + ms(500) }
    }

    pub(super) fn check(&self, state: State, cells: &[Cell]) {
        for (n, (cell, ..)) in cells.iter().enumerate() {
            assert!(cells[..n].iter().all(|(other, ..)| other != cell), "{cell:?} is expected twice");
        }
        for event in events(self.now) {
            let (next, effect) = cells
                .iter()
                .find(|(cell, ..)| *cell == event)
                .map_or((state, Effect::Nothing), |(_, next, effect)| (*next, *effect));
            assert_eq!(
                transition(state, event, self.now, &self.settings),
                (next, effect),
                "{state:?} x {event:?}"
            );
        }
    }

    pub(super) fn standby(&self, reason: Reason) -> State {
        State::Standby { due: None, reason }
    }

    pub(super) fn due(&self, at: Instant, reason: Reason) -> State {
        State::Standby { due: Some(at), reason }
    }

    pub(super) fn starting(&self, pid: Option<u32>) -> State {
        State::Starting { pid, since: self.born, slot_until: Some(self.born + self.settings.boot_slot) }
    }

    /// Told to stop at `asked`, with ten seconds to do so.
    pub(super) fn stop(&self, pid: Option<u32>, asked: Instant) -> Stop {
        Stop {
            drain_until: None,
            pid,
            since: self.born,
            asked,
            force_at: Some(asked + ms(10_000)),
            signal: Signal::Stop,
            debugging: false,
            next: Next::Nothing,
        }
    }

    /// What commands do to a process that runs; without one the signal is sent when it appears.
    pub(super) fn commands(&self, state: State, pid: Option<u32>) -> Vec<Cell> {
        let sent = |signal| pid.map_or(Effect::Nothing, |_| Effect::Signal(signal));
        let stop = self.stop(pid, self.now);
        let stopping = |stop, signal| (State::Stopping(stop), sent(signal));
        let cell = |event, (state, effect)| (event, state, effect);
        vec![
            cell(Event::Close(self.now), stopping(stop, Signal::Stop)),
            cell(Event::Shutdown, stopping(stop, Signal::Stop)),
            cell(Event::Kill, stopping(killed(stop), Signal::Kill)),
            cell(Event::Stop, stopping(stop, Signal::Stop)),
            cell(Event::Restart, stopping(Stop { next: Next::Restart, ..stop }, Signal::Stop)),
            cell(Event::HangUp, (state, sent(Signal::HangUp))),
            cell(Event::ForceStop, stopping(killed(stop), Signal::Kill)),
            cell(Event::Dump, stopping(Stop { signal: Signal::Abort, ..stop }, Signal::Abort)),
            cell(Event::Debug, stopping(debugged(stop), Signal::Debug)),
            cell(Event::Signal(12), (state, sent(Signal::Number(12)))),
            cell(Event::Signal(-1), (state, sent(Signal::Number(-1)))),
        ]
    }
}

pub(super) fn killed(stop: Stop) -> Stop {
    Stop { drain_until: None, force_at: None, signal: Signal::Kill, debugging: false, ..stop }
}

pub(super) fn debugged(stop: Stop) -> Stop {
    Stop { drain_until: None, force_at: None, signal: Signal::Debug, debugging: true, ..stop }
}

pub(super) const LIVED: Duration = Duration::from_millis(500);

#[test]
fn standby() {
    let row = Row::new();
    let stopped = row.standby(Reason::Stopped);
    let common = |started: State| {
        let cell = |event, state| (event, state, Effect::Nothing);
        vec![
            cell(Event::Close(row.now), stopped),
            cell(Event::Shutdown, stopped),
            cell(Event::Kill, stopped),
            cell(Event::Stop, stopped),
            cell(Event::ForceStop, stopped),
            cell(Event::Start, started),
            cell(Event::Restart, started),
            cell(Event::HangUp, started),
        ]
    };
    for reason in [Reason::Unstarted, Reason::Restart] {
        let due = row.due(row.now, reason);
        let mut cells = common(due);
        cells.push((Event::Due(row.now), due, Effect::Nothing));
        cells.push((Event::GiveUp, row.standby(Reason::BudgetSpent), Effect::Nothing));
        row.check(row.standby(reason), &cells);
        let ordered = State::Starting { pid: None, since: row.now, slot_until: Some(row.now + ms(5_000)) };
        cells.push((Event::Order, ordered, Effect::Nothing));
        row.check(due, &cells);
        // A pending restart is brought forward.
        row.check(row.due(row.now + ms(700), reason), &cells);
        // Who waits for a boot slot is not put back by being told to start.
        let waiting = row.due(row.born, reason);
        for command in [Event::Start, Event::Restart, Event::HangUp] {
            cells.retain(|(event, ..)| *event != command);
        }
        row.check(waiting, &cells);
    }
    for reason in [Reason::BudgetSpent, Reason::Finished, Reason::Stopped] {
        row.check(row.standby(reason), &common(row.due(row.now, Reason::Restart)));
    }
}

#[test]
fn starting() {
    let row = Row::new();
    let (born, restart) = (row.born, row.standby(Reason::Restart));
    let exits = [
        (Event::Exited, restart, Effect::Died(LIVED)),
        (Event::Finished, row.standby(Reason::Finished), Effect::Finished(LIVED)),
    ];
    let ordered = row.starting(None);
    let cells = [
        (
            Event::Spawned(9),
            State::Starting { pid: Some(9), since: row.now, slot_until: Some(born + ms(5_000)) },
            Effect::Started(None),
        ),
        (Event::SpawnFailed, restart, Effect::NotSpawned),
        (Event::Ready, State::Running { pid: None, since: born, settled: false }, Effect::Ready(LIVED)),
        (Event::SlotFreed, State::Starting { pid: None, since: born, slot_until: None }, Effect::Nothing),
        (
            Event::StillBoots,
            State::Starting { pid: None, since: born, slot_until: Some(row.now + ms(5_000)) },
            Effect::Nothing,
        ),
    ];
    row.check(ordered, &[&cells[..], &exits, &row.commands(ordered, None)].concat());
    let pid = Some(3);
    let cells = [
        (Event::Ready, State::Running { pid, since: born, settled: false }, Effect::Ready(LIVED)),
        (Event::SlotFreed, State::Starting { pid, since: born, slot_until: None }, Effect::Nothing),
        (
            Event::StillBoots,
            State::Starting { pid, since: born, slot_until: Some(row.now + ms(5_000)) },
            Effect::Nothing,
        ),
        (
            Event::StartTimeout,
            State::Running { pid, since: born, settled: true },
            Effect::NeverListened(LIVED),
        ),
        (
            Event::StartFailed,
            restart,
            Effect::Evicted(Stop { force_at: None, signal: Signal::Kill, ..row.stop(pid, row.now) }),
        ),
    ];
    let started = row.starting(pid);
    row.check(started, &[&cells[..], &exits, &row.commands(started, pid)].concat());
}

#[test]
fn running() {
    let row = Row::new();
    let (since, restart) = (row.born, row.standby(Reason::Restart));
    for settled in [false, true] {
        for pid in [None, Some(3)] {
            let state = State::Running { pid, since, settled };
            let mut cells = row.commands(state, pid);
            cells.extend([
                (Event::Settled, State::Running { pid, since, settled: true }, Effect::Nothing),
                (Event::Exited, restart, Effect::Died(LIVED)),
                (Event::Finished, row.standby(Reason::Finished), Effect::Finished(LIVED)),
            ]);
            if pid.is_none() {
                let spawned = State::Running { pid: Some(9), since, settled };
                cells.push((Event::Spawned(9), spawned, Effect::Started(None)));
                cells.push((Event::SpawnFailed, restart, Effect::NotSpawned));
            } else {
                let force_at = Some(row.now + ms(2_000));
                let leaving = Stop { force_at, ..row.stop(pid, row.now) };
                cells.push((Event::Hung, restart, Effect::Evicted(leaving)));
                cells.push((Event::MainEnded, restart, Effect::Evicted(row.stop(pid, row.now))));
            }
            row.check(state, &cells);
        }
    }
}

#[test]
fn a_boot_slot_may_be_of_no_use() {
    let mut row = Row::new();
    row.settings.boot_slot = Duration::ZERO;
    let due = row.due(row.now, Reason::Unstarted);
    let ordered = State::Starting { pid: None, since: row.now, slot_until: None };
    assert_eq!(transition(due, Event::Order, row.now, &row.settings), (ordered, Effect::Nothing));
}

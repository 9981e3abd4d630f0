//! Every cell of the worker's table: for each state the cells that change or tell something, and that all others do not.

use crate::pool::sim::{ms, settings};
use crate::pool::state::{Effect, Event, transition};
use crate::pool::{Reason, Settings, Signal, State};
use std::time::{Duration, Instant};

/// All events; `at` is when a restart is due.
fn events(at: Instant) -> [Event; 13] {
    [
        Event::Due(at),
        Event::GiveUp,
        Event::Order,
        Event::Spawned(9),
        Event::SpawnFailed,
        Event::Listened,
        Event::SlotExpired,
        Event::StartTimeout,
        Event::Settled,
        Event::Stop,
        Event::ForceDue,
        Event::Kill,
        Event::Exited,
    ]
}

struct Row {
    settings: Settings,
    born: Instant,
    now: Instant,
}

impl Row {
    #[expect(clippy::disallowed_methods, reason = "a virtual clock has to begin at some real instant")]
    fn new() -> Self {
        let born = Instant::now();
        Self { settings: settings(1), born, now: born + ms(500) }
    }

    fn check(&self, state: State, cells: &[(Event, State, Effect)]) {
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

    fn standby(&self, reason: Reason) -> State {
        State::Standby { due: None, reason }
    }

    fn starting(&self, pid: Option<u32>) -> State {
        State::Starting { pid, since: self.born, slot_until: Some(self.born + self.settings.boot_slot) }
    }

    fn stopping(&self, pid: Option<u32>, asked: Instant, forced: bool) -> State {
        let force_at = (!forced).then(|| asked + ms(10_000));
        State::Stopping { pid, since: self.born, asked, force_at, forced }
    }
}

const LIVED: Duration = Duration::from_millis(500);

#[test]
fn standby() {
    let row = Row::new();
    let stopped = row.standby(Reason::Stopped);
    for reason in [Reason::Unstarted, Reason::Restart] {
        let due = State::Standby { due: Some(row.now), reason };
        let rest = [
            (Event::Due(row.now), due, Effect::Nothing),
            (Event::GiveUp, row.standby(Reason::BudgetSpent), Effect::Nothing),
            (Event::Stop, stopped, Effect::Nothing),
            (Event::Kill, stopped, Effect::Nothing),
        ];
        row.check(row.standby(reason), &rest);
        let ordered = State::Starting { pid: None, since: row.now, slot_until: Some(row.now + ms(5_000)) };
        row.check(due, &[&rest[..], &[(Event::Order, ordered, Effect::Nothing)]].concat());
    }
    for reason in [Reason::BudgetSpent, Reason::Stopped] {
        let cells = [(Event::Stop, stopped, Effect::Nothing), (Event::Kill, stopped, Effect::Nothing)];
        row.check(row.standby(reason), &cells);
    }
}

#[test]
fn starting() {
    let row = Row::new();
    let (born, restart) = (row.born, row.standby(Reason::Restart));
    let ordered = row.starting(None);
    row.check(
        ordered,
        &[
            (
                Event::Spawned(9),
                State::Starting { pid: Some(9), since: row.now, slot_until: Some(born + ms(5_000)) },
                Effect::Started(None),
            ),
            (Event::SpawnFailed, restart, Effect::NotSpawned),
            (
                Event::Listened,
                State::Running { pid: None, since: born, settled: false },
                Effect::Ready(LIVED),
            ),
            (
                Event::SlotExpired,
                State::Starting { pid: None, since: born, slot_until: None },
                Effect::Nothing,
            ),
            (Event::Stop, row.stopping(None, row.now, false), Effect::Nothing),
            (Event::Kill, row.stopping(None, row.now, true), Effect::Nothing),
            (Event::Exited, restart, Effect::Died(LIVED)),
        ],
    );
    let pid = Some(3);
    row.check(
        row.starting(pid),
        &[
            (Event::Listened, State::Running { pid, since: born, settled: false }, Effect::Ready(LIVED)),
            (Event::SlotExpired, State::Starting { pid, since: born, slot_until: None }, Effect::Nothing),
            (
                Event::StartTimeout,
                State::Running { pid, since: born, settled: true },
                Effect::NeverListened(LIVED),
            ),
            (Event::Stop, row.stopping(pid, row.now, false), Effect::Signal(Signal::Stop)),
            (Event::Kill, row.stopping(pid, row.now, true), Effect::Signal(Signal::Kill)),
            (Event::Exited, restart, Effect::Died(LIVED)),
        ],
    );
}

#[test]
fn running() {
    let row = Row::new();
    let (since, restart) = (row.born, row.standby(Reason::Restart));
    for settled in [false, true] {
        row.check(
            State::Running { pid: None, since, settled },
            &[
                (Event::Spawned(9), State::Running { pid: Some(9), since, settled }, Effect::Started(None)),
                (Event::SpawnFailed, restart, Effect::NotSpawned),
                (Event::Settled, State::Running { pid: None, since, settled: true }, Effect::Nothing),
                (Event::Stop, row.stopping(None, row.now, false), Effect::Nothing),
                (Event::Kill, row.stopping(None, row.now, true), Effect::Nothing),
                (Event::Exited, restart, Effect::Died(LIVED)),
            ],
        );
        let pid = Some(3);
        row.check(
            State::Running { pid, since, settled },
            &[
                (Event::Settled, State::Running { pid, since, settled: true }, Effect::Nothing),
                (Event::Stop, row.stopping(pid, row.now, false), Effect::Signal(Signal::Stop)),
                (Event::Kill, row.stopping(pid, row.now, true), Effect::Signal(Signal::Kill)),
                (Event::Exited, restart, Effect::Died(LIVED)),
            ],
        );
    }
}

#[test]
fn stopping() {
    let row = Row::new();
    let (asked, stopped) = (row.born + ms(200), row.standby(Reason::Stopped));
    for (forced, late) in [(false, Signal::Stop), (true, Signal::Kill)] {
        let killed = row.stopping(None, asked, true);
        let mut cells = vec![
            (Event::Spawned(9), row.stopping(Some(9), asked, forced), Effect::Started(Some(late))),
            (Event::SpawnFailed, stopped, Effect::NotSpawnedStopped),
            (Event::Kill, killed, Effect::Nothing),
            (Event::Exited, stopped, Effect::Stopped(LIVED)),
        ];
        if !forced {
            cells.push((Event::ForceDue, killed, Effect::Nothing));
        }
        row.check(row.stopping(None, asked, forced), &cells);
    }
    let pid = Some(3);
    let killed = row.stopping(pid, asked, true);
    let exited = (Event::Exited, stopped, Effect::Stopped(LIVED));
    row.check(
        row.stopping(pid, asked, false),
        &[
            (Event::ForceDue, killed, Effect::Forced(ms(300))),
            (Event::Kill, killed, Effect::Forced(ms(300))),
            exited,
        ],
    );
    row.check(killed, &[(Event::Kill, killed, Effect::Signal(Signal::Kill)), exited]);
}

#[test]
fn the_stop_timeout_may_be_nothing_or_for_ever() {
    let mut row = Row::new();
    let pid = Some(3);
    row.settings.stop_timeout = Some(Duration::ZERO);
    let stop = transition(row.starting(pid), Event::Stop, row.now, &row.settings);
    assert_eq!(stop, (row.stopping(pid, row.now, true), Effect::Signal(Signal::Kill)));
    row.settings.stop_timeout = None;
    let (state, effect) = transition(row.starting(pid), Event::Stop, row.now, &row.settings);
    assert!(matches!(state, State::Stopping { force_at: None, forced: false, .. }));
    assert_eq!(effect, Effect::Signal(Signal::Stop));
}

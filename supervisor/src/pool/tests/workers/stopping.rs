//! The cells of processes that drain and stop, and of the times that they have for it.

use super::table::{Cell, LIVED, Row, debugged, killed};
use crate::pool::tests::sim::ms;
use crate::pool::workers::event::{Effect, Event};
use crate::pool::workers::transition::transition;
use crate::pool::{Next, Reason, Signal, State, Stop};
use crate::settings::Drain;
use std::time::Duration;

/// The cells of a stopping worker, whatever it was told to stop by.
fn stopping_cells(row: &Row, stop: Stop) -> Vec<Cell> {
    let state = State::Stopping;
    let sent = |signal| stop.pid.map_or(Effect::Nothing, |_| Effect::Signal(signal));
    let forced = stop.pid.map_or(Effect::Nothing, |_| Effect::Forced(ms(300)));
    let (gone, ended) = match stop.next {
        Next::Nothing => (row.standby(Reason::Stopped), Effect::Stopped(LIVED)),
        Next::Restart | Next::Start => (row.due(row.now, Reason::Restart), Effect::Replaced(LIVED)),
    };
    let restart = if stop.next == Next::Start { Next::Start } else { Next::Restart };
    let mut cells = vec![
        (Event::Exited, gone, ended),
        (Event::Finished, gone, ended),
        (Event::Stop, state(Stop { next: Next::Nothing, ..stop }), Effect::Nothing),
        (Event::Start, state(Stop { next: Next::Start, ..stop }), Effect::Nothing),
        (Event::HangUp, state(Stop { next: Next::Start, ..stop }), Effect::Nothing),
        (Event::Restart, state(Stop { next: restart, ..stop }), Effect::Nothing),
        (Event::Signal(12), state(stop), sent(Signal::Number(12))),
        (Event::Signal(-1), state(stop), sent(Signal::Number(-1))),
    ];
    if stop.pid.is_none() {
        let spawned = state(Stop { pid: Some(9), ..stop });
        cells.push((Event::Spawned(9), spawned, Effect::Started(Some(stop.signal))));
        cells.push((Event::SpawnFailed, gone, Effect::NotSpawnedStopped));
    }
    if stop.signal == Signal::Kill {
        cells.push((Event::ForceStop, state(stop), sent(Signal::Kill)));
        cells.push((Event::Kill, state(Stop { next: Next::Nothing, ..stop }), sent(Signal::Kill)));
    } else {
        cells.push((Event::ForceDue, state(killed(stop)), forced));
        cells.push((Event::ForceStop, state(killed(stop)), forced));
        cells.push((Event::Kill, state(Stop { next: Next::Nothing, ..killed(stop) }), forced));
        cells.push((Event::Dump, state(Stop { signal: Signal::Abort, ..stop }), sent(Signal::Abort)));
        cells.push((Event::Debug, state(debugged(stop)), sent(Signal::Debug)));
    }
    cells
}

#[test]
fn stopping() {
    let row = Row::new();
    let asked = row.born + ms(200);
    for pid in [None, Some(3)] {
        for next in [Next::Nothing, Next::Restart, Next::Start] {
            let stop = Stop { next, ..row.stop(pid, asked) };
            let dumped = Stop { signal: Signal::Abort, ..stop };
            for stop in [stop, dumped, killed(stop)] {
                let mut cells = stopping_cells(&row, stop);
                let end = State::Stopping(Stop { next: Next::Nothing, ..stop });
                cells.push((Event::Close(row.now), end, Effect::Nothing));
                cells.push((Event::Shutdown, end, Effect::Nothing));
                row.check(State::Stopping(stop), &cells);
            }
            // Where somebody debugs, the end of the cluster asks anew; so does it where nobody set a time to stop.
            let timeless = Stop { signal: Signal::Abort, force_at: None, ..stop };
            for stop in [debugged(stop), timeless] {
                let mut cells = stopping_cells(&row, stop);
                let told = pid.map_or(Effect::Nothing, |_| Effect::Signal(Signal::Stop));
                let end = State::Stopping(row.stop(pid, row.now));
                cells.push((Event::Close(row.now), end, told));
                cells.push((Event::Shutdown, end, told));
                row.check(State::Stopping(stop), &cells);
            }
        }
    }
}

#[test]
fn draining() {
    let mut row = Row::new();
    row.settings.stop.drain = Drain::Quiet;
    row.settings.stop.drain_timeout = Some(ms(4_000));
    let (pid, asked) = (Some(3), row.born + ms(200));
    for next in [Next::Nothing, Next::Restart, Next::Start] {
        let told = Stop { next, ..row.stop(pid, asked) };
        let stop = Stop { drain_until: Some(asked + ms(4_000)), force_at: None, ..told };
        let mut cells = stopping_cells(&row, stop);
        // It has had no time to stop yet: from now on it has.
        let cut = Stop { force_at: Some(row.now + ms(10_000)), ..told };
        let drained = |quiet| Effect::Drained { after: ms(300), quiet, signal: Signal::Stop };
        let end = State::Stopping(Stop { next: Next::Nothing, ..cut });
        let begun_anew = Stop { next, ..row.stop(pid, row.now) };
        cells.retain(|(event, ..)| *event != Event::Dump);
        cells.extend([
            (Event::Quiet, State::Stopping(cut), drained(true)),
            (Event::DrainDue, State::Stopping(cut), drained(false)),
            (Event::Close(row.now), end, drained(false)),
            (Event::Shutdown, State::Stopping(row.stop(pid, row.now)), Effect::Signal(Signal::Stop)),
            (
                Event::Dump,
                State::Stopping(Stop { signal: Signal::Abort, ..begun_anew }),
                Effect::Signal(Signal::Abort),
            ),
        ]);
        row.check(State::Stopping(stop), &cells);
        // It goes on draining, for no longer than everybody may.
        for (by, until) in [(1_000, row.now + ms(1_000)), (60_000, asked + ms(4_000))] {
            let closed =
                transition(State::Stopping(stop), Event::Close(row.now + ms(by)), row.now, &row.settings);
            let until = Stop { drain_until: Some(until), next: Next::Nothing, ..stop };
            assert_eq!(closed, (State::Stopping(until), Effect::Nothing));
        }
    }
}

#[test]
fn who_runs_drains_first_where_there_is_time_for_it() {
    let mut row = Row::new();
    row.settings.stop.drain = Drain::Quiet;
    row.settings.stop.drain_timeout = Some(ms(4_000));
    let told = |state, event| transition(state, event, row.now, &row.settings);
    for settled in [false, true] {
        let (pid, since) = (Some(3), row.born);
        let state = State::Running { pid, since, settled };
        let stop = row.stop(pid, row.now);
        let drains = |until| Stop { drain_until: Some(row.now + ms(until)), force_at: None, ..stop };
        let restarts = Stop { next: Next::Restart, ..drains(4_000) };
        assert_eq!(told(state, Event::Stop), (State::Stopping(drains(4_000)), Effect::Drain));
        assert_eq!(told(state, Event::Restart), (State::Stopping(restarts), Effect::Drain));
        let by = Event::Close(row.now + ms(1_000));
        assert_eq!(told(state, by), (State::Stopping(drains(1_000)), Effect::Drain));
        let at_once = (State::Stopping(stop), Effect::Signal(Signal::Stop));
        assert_eq!(told(state, Event::Close(row.now)), at_once);
        assert_eq!(told(state, Event::Shutdown), at_once);
        let evicted = (row.standby(Reason::Restart), Effect::Evicted(drains(4_000)));
        assert_eq!(told(state, Event::MainEnded), evicted);
        // Who is not there yet has nothing to finish.
        let ordered = State::Running { pid: None, since, settled };
        let asked = State::Stopping(row.stop(None, row.now));
        assert_eq!(told(ordered, Event::Stop), (asked, Effect::Nothing));
    }
    let asked = State::Stopping(row.stop(Some(3), row.now));
    assert_eq!(told(row.starting(Some(3)), Event::Stop), (asked, Effect::Signal(Signal::Stop)));
}

#[test]
fn the_stop_timeout_may_be_nothing() {
    let mut row = Row::new();
    let pid = Some(3);
    row.settings.stop.stop_timeout = Some(Some(Duration::ZERO));
    let stop = Stop { force_at: None, ..row.stop(pid, row.now) };
    let told = |event| transition(row.starting(pid), event, row.now, &row.settings);
    for event in [Event::Stop, Event::Shutdown] {
        assert_eq!(told(event), (State::Stopping(killed(stop)), Effect::Signal(Signal::Kill)));
    }
    let restart = Stop { next: Next::Restart, ..killed(stop) };
    assert_eq!(told(Event::Restart), (State::Stopping(restart), Effect::Signal(Signal::Kill)));
    // Even then a core is written and a debugger waited for.
    let dump = Stop { signal: Signal::Abort, ..stop };
    assert_eq!(told(Event::Dump), (State::Stopping(dump), Effect::Signal(Signal::Abort)));
    assert_eq!(told(Event::Debug), (State::Stopping(debugged(stop)), Effect::Signal(Signal::Debug)));
    for stop in [dump, debugged(stop)] {
        let end = transition(State::Stopping(stop), Event::Shutdown, row.now, &row.settings);
        assert_eq!(end, (State::Stopping(killed(stop)), Effect::Signal(Signal::Kill)));
    }
}

#[test]
fn the_stop_timeout_may_be_for_ever() {
    let mut row = Row::new();
    let pid = Some(3);
    row.settings.stop.stop_timeout = Some(None);
    let stop = Stop { force_at: None, ..row.stop(pid, row.now) };
    let told = |state, event| transition(state, event, row.now, &row.settings);
    assert_eq!(told(row.starting(pid), Event::Stop), (State::Stopping(stop), Effect::Signal(Signal::Stop)));
    // It has been told already; a second stop signal means 'at once' to many programs.
    assert_eq!(told(State::Stopping(stop), Event::Shutdown), (State::Stopping(stop), Effect::Nothing));
    let debugged = State::Stopping(debugged(stop));
    assert_eq!(told(debugged, Event::Shutdown), (State::Stopping(stop), Effect::Signal(Signal::Stop)));
}

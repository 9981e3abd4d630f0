//! A start and a reload that wait for a command of the user's to allow them.

use super::super::sim::{Sim, ms, settings, with};
use super::rolling::{reload, rolling};
use crate::pool::{Failed, Gate, Gates, Input, Note, Outcome, Output, Reloaded, Settings};

const RELOAD: Gate = Gate::Reload { ticket: 1, version: 1 };

fn gated(workers: u32, start: bool) -> Settings {
    with(rolling(workers), |s| s.gates = Gates { start, reload: true })
}

fn spawns(sim: &mut Sim) -> usize {
    sim.take_orders().iter().filter(|order| matches!(order, Output::Spawn { .. })).count()
}

/// One whose reload waits for the word.
fn waiting() -> Sim {
    let (mut sim, _, _) = Sim::serving(gated(2, false));
    sim.take_orders();
    sim.prompt = false;
    reload(&mut sim, 1);
    let prepared = sim.pending.pop_front().expect("it was prepared");
    sim.input(prepared);
    assert_eq!(sim.pool.gate(), Some(RELOAD));
    assert_eq!(sim.pending.pop_front(), Some(Input::Allowed { gate: RELOAD }));
    assert_eq!(spawns(&mut sim), 0);
    sim
}

#[test]
fn nothing_starts_before_it_may() {
    let mut sim = Sim::new(with(settings(2), |s| s.gates.start = true));
    sim.prompt = false;
    sim.input(Input::Start);
    sim.input(Input::Start);
    assert_eq!(sim.take_orders(), [Output::AskGate { gate: Gate::Start }]);
    sim.input(Input::Reload { ticket: 7, in_place: false });
    assert_eq!(sim.reloads.last(), Some(&(7, Reloaded::Stopped)));
    sim.input(Input::Allowed { gate: RELOAD });
    assert_eq!(spawns(&mut sim), 0);
    sim.input(Input::Allowed { gate: Gate::Start });
    assert_eq!(spawns(&mut sim), 2);
    sim.input(Input::Allowed { gate: Gate::Start });
    assert_eq!(spawns(&mut sim), 0);
}

#[test]
fn a_start_that_may_not_be_is_the_end() {
    let mut sim = Sim::new(with(settings(2), |s| s.gates.start = true));
    sim.allows = false;
    sim.input(Input::Start);
    assert_eq!(sim.done, Some(Outcome::Stopped));
    assert_eq!((spawns(&mut sim), sim.notes.len()), (0, 0));
}

#[test]
fn a_stop_ends_the_wait() {
    for stop in [Input::Stop, Input::Halt, Input::Kill] {
        let mut sim = Sim::new(with(settings(2), |s| s.gates.start = true));
        sim.prompt = false;
        sim.input(Input::Start);
        sim.input(stop.clone());
        assert_eq!(sim.done, Some(Outcome::Stopped));
        assert!(sim.take_orders().contains(&Output::DropGate { gate: Gate::Start }));
        let mut sim = waiting();
        sim.input(stop);
        assert_eq!(sim.reloads.last(), Some(&(1, Reloaded::Stopped)));
        assert!(sim.take_orders().contains(&Output::DropGate { gate: RELOAD }));
        sim.input(Input::Allowed { gate: RELOAD });
        assert_eq!(spawns(&mut sim), 0);
    }
}

#[test]
fn a_reload_goes_on_once_it_may() {
    let mut sim = waiting();
    // What goes on meanwhile goes on: nothing of the new version is started for it.
    sim.advance(ms(60_000));
    assert_eq!(spawns(&mut sim), 0);
    sim.input(Input::Allowed { gate: RELOAD });
    assert_eq!(sim.pool.gate(), None);
    assert_eq!(spawns(&mut sim), 1);
}

#[test]
fn a_reload_that_may_not_be_changes_nothing() {
    let (mut sim, _, _) = Sim::serving(gated(2, false));
    let before = sim.alive.clone();
    sim.allows = false;
    reload(&mut sim, 1);
    let failed = Failed::Unfit { error: "the migration failed".to_owned() };
    let reloaded = Reloaded::Failed { failed, replaced: 0, rolled_back: false };
    assert_eq!(sim.reloads.last(), Some(&(1, reloaded.clone())));
    assert!(sim.notes.contains(&Note::Reloaded { reloaded }));
    assert_eq!(sim.alive, before);
}

#[test]
fn a_newer_reload_and_an_abort_end_the_wait() {
    let mut sim = waiting();
    sim.input(Input::AbortReload);
    assert!(sim.take_orders().contains(&Output::DropGate { gate: RELOAD }));
    let mut sim = waiting();
    sim.input(Input::Reload { ticket: 2, in_place: false });
    assert_eq!(sim.reloads.last(), Some(&(1, Reloaded::Superseded)));
    assert!(sim.take_orders().contains(&Output::DropGate { gate: RELOAD }));
    sim.prompt = true;
    sim.input(Input::Prepared { ticket: 2 });
    assert_eq!(spawns(&mut sim), 1, "the one that took its place has asked for itself");
}

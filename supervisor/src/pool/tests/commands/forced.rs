//! Commands that end a worker at once, or have nobody end it because somebody debugs it.

use super::commanding::{reason, signals, spawns};
use crate::pool::tests::sim::{Sim, ms, settings};
use crate::pool::{Exit, Input, Note, Outcome, Reason, Signal, WorkerCommand};

#[test]
fn a_forced_stop_kills_at_once_and_a_restart_may_be_hurried_by_it() {
    let (mut sim, _, _) = Sim::serving(settings(2));
    sim.polite = false;
    sim.command(0, WorkerCommand::ForceStop);
    assert_eq!(signals(&sim.take_orders()), [(0, Signal::Kill)]);
    assert_eq!(reason(&sim, 0), Some(Reason::Stopped));
    sim.command(1, WorkerCommand::Restart);
    sim.advance(ms(20));
    sim.take_notes();
    sim.command(1, WorkerCommand::ForceStop);
    let orders = sim.take_orders();
    assert_eq!((signals(&orders), spawns(&orders)), (vec![(1, Signal::Stop), (1, Signal::Kill)], 1));
    assert!(matches!(sim.notes[0], Note::Forced { after, .. } if after == ms(20)));
}

#[test]
fn a_dump_aborts_and_the_worker_stays_down() {
    let (mut sim, _, _) = Sim::serving(settings(2));
    sim.command(0, WorkerCommand::Dump);
    assert_eq!(signals(&sim.take_orders()), [(0, Signal::Abort)]);
    assert_eq!(reason(&sim, 0), Some(Reason::Stopped));
    assert_eq!(sim.slot(0).last_exit(), Some(Exit::Code(1)));
}

#[test]
fn who_debugs_has_all_the_time_they_want() {
    for earlier in [None, Some(WorkerCommand::Restart)] {
        let (mut sim, _, _) = Sim::serving(settings(2));
        sim.polite = false;
        earlier.into_iter().for_each(|command| sim.command(0, command));
        sim.take_orders();
        sim.command(0, WorkerCommand::Debug);
        assert_eq!(signals(&sim.take_orders()), [(0, Signal::Debug)]);
        sim.advance(ms(10_000_000));
        assert_eq!(sim.take_orders(), []);
        sim.command(0, WorkerCommand::Stop);
        assert_eq!(sim.take_orders(), [], "it is left alone until it ends");
        sim.command(0, WorkerCommand::Signal(10));
        assert_eq!(signals(&sim.take_orders()), [(0, Signal::Number(10))]);
        sim.exit(0);
        assert_eq!(spawns(&sim.take_orders()), 0);
    }
}

#[test]
fn the_end_of_the_cluster_does_not_wait_for_a_debugger() {
    let (mut sim, _, _) = Sim::serving(settings(1));
    sim.polite = false;
    sim.command(0, WorkerCommand::Debug);
    sim.advance(ms(50_000));
    sim.take_orders();
    sim.input(Input::Stop);
    assert_eq!(signals(&sim.take_orders()), [(0, Signal::Stop)]);
    sim.advance(ms(10_000));
    assert_eq!(sim.done, Some(Outcome::Stopped));
}

#[test]
fn nothing_is_started_once_the_cluster_stops_but_what_runs_can_be_ended_and_debugged() {
    let (mut sim, _, _) = Sim::serving(settings(2));
    sim.polite = false;
    sim.input(Input::Stop);
    sim.take_orders();
    for command in [
        WorkerCommand::Start,
        WorkerCommand::Restart,
        WorkerCommand::HangUp,
        WorkerCommand::Stop,
        WorkerCommand::Cordon,
    ] {
        sim.command(0, command);
    }
    assert_eq!(sim.take_orders(), []);
    assert!(!sim.slot(0).is_cordoned());
    sim.command(0, WorkerCommand::Debug);
    sim.command(1, WorkerCommand::ForceStop);
    assert_eq!(signals(&sim.take_orders()), [(0, Signal::Debug), (1, Signal::Kill)]);
    sim.advance(ms(100_000));
    assert_eq!(sim.done, None, "somebody debugs why it does not stop");
    sim.input(Input::Kill);
    assert_eq!(sim.done, Some(Outcome::Stopped));
    sim.take_orders();
    sim.command(0, WorkerCommand::Start);
    assert_eq!(sim.take_orders(), []);
}

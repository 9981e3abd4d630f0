//! Workers whose first process ends while others of theirs live.

use crate::pool::tests::sim::{Sim, ms, settings, with};
use crate::pool::{Exit, Input, Note, Output, Signal, Then};
use crate::settings::Drain;

const KILLED: Exit = Exit::Signal { signal: 9, core_dumped: false, oom_killed: false };

#[test]
fn another_is_started_beside_those_that_live_and_these_drain() {
    let settings = with(settings(2), |s| {
        s.stop.drain = Drain::Quiet;
        s.stop.drain_timeout = Some(ms(5_000))
    });
    let (mut sim, balancer, lanes) = Sim::serving(settings);
    let worker = sim.worker(0);
    sim.input(Input::MainEnded { worker, exit: KILLED });
    let told = |note: &Note| matches!(note, Note::MainEnded { exit: KILLED, then: Then::Replaced, .. });
    assert!(sim.notes.iter().any(told), "{:?}", sim.notes);
    // What is simulated has nothing under way: it is quiet, told to stop, and gone at once.
    let orders = sim.take_orders();
    let at = |wanted: Output| orders.iter().position(|order| *order == wanted);
    let (drain, stop) = (at(Output::Drain { worker }), at(Output::Signal { worker, signal: Signal::Stop }));
    assert!(drain.is_some() && drain < stop, "{orders:?}");
    let gone = |note: &Note| matches!(note, Note::Exited { then: Then::Replaced, .. });
    assert!(sim.notes.iter().any(gone), "{:?}", sim.notes);
    sim.advance(ms(1_000));
    assert_ne!(sim.worker(0), worker, "another has its place");
    sim.connect(balancer);
    assert_eq!(sim.lanes[&lanes[1]].queue.len(), 1, "the other serves");
    assert!(sim.pool.retiring().next().is_none());
}

#[test]
fn of_one_that_is_not_ready_all_are_killed_and_one_that_stops_goes_on_stopping() {
    let (mut sim, ..) = Sim::serving(settings(2));
    let worker = sim.worker(0);
    sim.command(0, crate::pool::WorkerCommand::Stop);
    sim.take_orders();
    sim.input(Input::MainEnded { worker, exit: KILLED });
    assert!(sim.take_orders().is_empty());
}

//! The ways to the end: stop, force, kill, and what is refused on the way.

use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::pool::tests::sim::{Fate, Sim, ms, settings, with};
use crate::pool::{Input, Note, Outcome, Output, Phase, Route, Signal};
use std::time::Duration;

fn signals(orders: &[Output]) -> Vec<(u32, Signal)> {
    let signals = orders.iter().filter_map(|order| match order {
        Output::Signal { worker, signal } => Some((worker.slot, *signal)),
        _ => None,
    });
    signals.collect()
}

#[test]
fn stop_signals_all_and_ends_when_all_are_gone() {
    let (mut sim, balancer, _) = Sim::serving(settings(2));
    sim.input(Input::Stop);
    assert_eq!(sim.notes[0], Note::Stopping { workers: 2, kill_in: Some(ms(10_000)) });
    let orders = sim.take_orders();
    assert_eq!(signals(&orders), [(0, Signal::Stop), (1, Signal::Stop)]);
    assert_eq!(
        orders[orders.len() - 2..],
        [Output::CloseBalancer { balancer }, Output::Done(Outcome::Stopped)]
    );
    assert_eq!(sim.pool.phase(), Phase::Done(Outcome::Stopped));
    assert!(!sim.step());
}

#[test]
fn a_worker_that_does_not_stop_is_killed_in_time() {
    let (mut sim, _, _) = Sim::serving(settings(2));
    sim.polite = false;
    sim.input(Input::Stop);
    let second = sim.worker(1);
    sim.exit(0);
    sim.input(Input::Stop);
    sim.take_orders();
    sim.take_notes();
    sim.advance(ms(9_999));
    assert_eq!(sim.take_orders(), []);
    sim.advance(ms(1));
    assert_eq!(signals(&sim.take_orders()), [(1, Signal::Kill)]);
    assert_eq!(sim.notes[0], Note::Forced { worker: second, after: ms(10_000) });
    assert_eq!(sim.done, Some(Outcome::Stopped));
}

#[test]
fn a_stop_timeout_of_nothing_kills_at_once() {
    let (mut sim, _, _) =
        Sim::serving(with(settings(1), |s| s.stop.stop_timeout = Some(Some(Duration::ZERO))));
    sim.input(Input::Stop);
    assert_eq!(signals(&sim.take_orders()), [(0, Signal::Kill)]);
    assert_eq!(sim.done, Some(Outcome::Stopped));
}

#[test]
fn without_a_stop_timeout_only_kill_ends_it() {
    let (mut sim, _, _) = Sim::serving(with(settings(2), |s| s.stop.stop_timeout = Some(None)));
    sim.polite = false;
    sim.input(Input::Stop);
    sim.drive_bounded();
    assert_eq!(sim.done, None);
    sim.take_orders();
    sim.input(Input::Kill);
    assert_eq!(signals(&sim.take_orders()), [(0, Signal::Kill), (1, Signal::Kill)]);
    assert_eq!(sim.done, Some(Outcome::Stopped));
}

#[test]
fn kill_does_not_ask_first() {
    let (mut sim, _, _) = Sim::serving(settings(2));
    sim.input(Input::Kill);
    assert_eq!(signals(&sim.take_orders()), [(0, Signal::Kill), (1, Signal::Kill)]);
    assert_eq!(sim.notes[0], Note::Stopping { workers: 2, kill_in: Some(Duration::ZERO) });
    assert_eq!(sim.done, Some(Outcome::Stopped));
}

#[test]
fn a_cluster_that_was_not_started_stops_at_once_and_does_not_start_again() {
    let mut sim = Sim::new(settings(2));
    sim.input(Input::Stop);
    sim.input(Input::Start);
    sim.input(Input::Kill);
    assert_eq!(sim.take_orders(), [Output::Done(Outcome::Stopped)]);
}

#[test]
fn a_process_that_appears_after_the_stop_is_signalled_too() {
    for (order, signal) in [(Input::Stop, Signal::Stop), (Input::Kill, Signal::Kill)] {
        let mut sim = Sim::new(settings(1));
        sim.prompt = false;
        sim.input(Input::Start);
        sim.input(order);
        assert_eq!(sim.done, None);
        let spawned = sim.pending.pop_front().expect("the spawn is under way");
        sim.take_orders();
        sim.tell(spawned);
        sim.drain();
        assert_eq!(signals(&sim.take_orders()), [(0, signal)]);
    }
}

#[test]
fn a_process_that_appears_after_the_time_to_stop_is_killed_and_one_that_does_not_is_not_awaited() {
    let mut sim = Sim::new(settings(2));
    sim.prompt = false;
    sim.input(Input::Start);
    sim.input(Input::Stop);
    sim.advance(ms(20_000));
    sim.take_orders();
    let error = String::from("out of processes");
    sim.input(Input::SpawnFailed { worker: WorkerId { slot: 0, incarnation: 1 }, error });
    sim.input(Input::Spawned { worker: WorkerId { slot: 1, incarnation: 1 }, pid: 4 });
    assert_eq!(signals(&sim.take_orders()), [(1, Signal::Kill)]);
    assert_eq!(sim.done, None);
    sim.prompt = true;
    sim.exit(1);
    assert_eq!(sim.done, Some(Outcome::Stopped));
}

#[test]
fn nothing_starts_once_the_cluster_stops() {
    let mut sim = Sim::new(with(settings(3), |s| s.max_starting = 1));
    sim.input(Input::Start);
    sim.exit(0);
    sim.polite = false;
    sim.input(Input::Stop);
    sim.take_orders();
    sim.exit(1);
    assert_eq!(sim.take_orders(), [Output::Done(Outcome::Stopped)]);
    sim.drive_bounded();
    assert_eq!(sim.take_orders(), []);
}

#[test]
fn while_stopping_lanes_get_nothing_more_and_what_waits_may_still_be_taken() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    sim.polite = false;
    for _ in 0..6 {
        sim.connect(balancer);
    }
    sim.input(Input::Stop);
    assert!(!sim.pool.may_accept(balancer));
    sim.take_orders();
    assert!(sim.take(lanes[0]).is_some());
    assert!(sim.take_orders().iter().all(|order| !matches!(order, Output::Dispatch { .. })));
    sim.exit(0);
    sim.exit(1);
    assert_eq!(sim.done, Some(Outcome::Stopped));
    let taken = sim.conns.values().filter(|fate| matches!(fate, Fate::TakenBy(_))).count();
    let refused = sim.conns.values().filter(|fate| **fate == Fate::Refused).count();
    assert_eq!((taken, refused), (1, 4), "the sixth is in the kernel's queue");
}

#[test]
fn what_opens_while_stopping_is_closed_again() {
    let (mut sim, known, _) = Sim::serving(settings(1));
    sim.polite = false;
    sim.input(Input::Stop);
    sim.take_orders();
    let (balancer, lane, worker) = (BalancerId(999), LaneId(999), sim.worker(0));
    sim.input(Input::BalancerOpened { balancer, route: Route::Handoff });
    sim.input(Input::LaneOpened { lane, worker, balancer });
    assert_eq!(sim.take_orders(), [Output::CloseBalancer { balancer }, Output::Retire { lane }]);
    // A lane of a balancer that is still open is kept out of rotation, and goes with its worker.
    let late = sim.listen(0, known);
    sim.exit(0);
    assert!(sim.take_orders().contains(&Output::Retire { lane: late }));
}

#[test]
fn a_connection_that_comes_after_the_end_is_refused() {
    let (mut sim, balancer, _) = Sim::serving(settings(1));
    for _ in 0..2 {
        sim.connect(balancer);
    }
    sim.prompt = false;
    sim.input(Input::Stop);
    let exited = sim.pending.pop_front().expect("it obeyed");
    sim.tell(exited);
    sim.drain();
    assert_eq!(sim.done, Some(Outcome::Stopped));
    while let Some(late) = sim.pending.pop_front() {
        sim.tell(late);
        sim.drain();
    }
    assert!(sim.conns.values().all(|fate| *fate == Fate::Refused));
}

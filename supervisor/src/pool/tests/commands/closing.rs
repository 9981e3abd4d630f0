//! The cluster's stop where workers drain: what was let in is served, nobody new is, and all of it has its time.

use crate::pool::tests::sim::{Fate, Sim, ms, settings, with};
use crate::pool::{Input, Note, Outcome, Output, Phase, Settings, Signal};
use crate::settings::Drain;

fn draining(workers: u32) -> Settings {
    with(settings(workers), |s| {
        s.stop.drain = Drain::Quiet;
        s.stop.shutdown_timeout = Some(ms(25_000))
    })
}

fn count(sim: &mut Sim, wanted: impl Fn(&Output) -> bool) -> usize {
    sim.take_orders().iter().filter(|order| wanted(order)).count()
}

fn is_signal(order: &Output) -> bool {
    matches!(order, Output::Signal { .. })
}

#[test]
fn an_idle_cluster_is_down_at_once() {
    let (mut sim, _, _) = Sim::serving(draining(2));
    sim.input(Input::Stop);
    assert_eq!(sim.done, Some(Outcome::Stopped));
    assert!(sim.notes.contains(&Note::Stopping { workers: 2, kill_in: Some(ms(25_000)) }));
}

#[test]
fn everything_in_the_queue_is_served() {
    let (mut sim, balancer, lanes) = Sim::serving(draining(2));
    for _ in 0..9 {
        sim.connect(balancer);
    }
    assert_eq!(sim.queued(balancer), 4, "four fit into the lanes, and one is held");
    sim.input(Input::Stop);
    assert_eq!(sim.pool.phase(), Phase::Serving);
    assert_eq!(count(&mut sim, is_signal), 0);
    let workers = [sim.worker(0), sim.worker(1)];
    for _ in 0..10 {
        for (lane, worker) in lanes.iter().zip(workers) {
            if sim.lanes.contains_key(lane) && sim.take(*lane).is_some() {
                sim.finish(worker);
            }
        }
        sim.advance(ms(100));
    }
    assert_eq!(sim.done, Some(Outcome::Stopped));
    assert_eq!(sim.conns.len(), 9);
    assert!(sim.conns.values().all(|fate| *fate == Fate::Closed), "{:?}", sim.conns);
}

#[test]
fn the_address_is_served_for_a_while() {
    let (mut sim, balancer, lanes) = Sim::serving(with(draining(1), |s| s.stop.drain_delay = ms(3_000)));
    sim.input(Input::Stop);
    sim.advance(ms(2_999));
    assert_eq!(count(&mut sim, |order| matches!(order, Output::StopIntake { .. })), 0);
    sim.connect(balancer);
    sim.take(lanes[0]);
    let worker = sim.worker(0);
    assert!(sim.finish(worker));
    sim.advance(ms(1));
    sim.advance(ms(50));
    assert_eq!(sim.done, Some(Outcome::Stopped));
}

#[test]
fn who_comes_late_is_told_that_nobody_is_there() {
    let (mut sim, balancer, lanes) = Sim::serving(draining(1));
    sim.connect(balancer);
    sim.take(lanes[0]);
    sim.advance(ms(50));
    sim.input(Input::Stop);
    sim.advance(ms(50));
    let orders = sim.take_orders();
    let place = |wanted: &dyn Fn(&Output) -> bool| orders.iter().position(wanted);
    let closed = place(&|order| *order == Output::CloseBalancer { balancer });
    let drain = place(&|order| matches!(order, Output::Drain { .. }));
    assert!(closed.is_some() && closed < drain, "{orders:?}");
    assert_eq!(sim.pool.phase(), Phase::Stopping);
    let worker = sim.worker(0);
    assert!(sim.finish(worker));
    assert_eq!(sim.done, Some(Outcome::Stopped));
}

#[test]
fn the_whole_has_its_time() {
    let (mut sim, balancer, lanes) = Sim::serving(draining(1));
    sim.polite = false;
    sim.connect(balancer);
    sim.take(lanes[0]);
    sim.input(Input::Stop);
    // Ten of the 25 seconds are for what follows the stop signal.
    sim.advance(ms(14_999));
    assert_eq!(count(&mut sim, is_signal), 0);
    sim.advance(ms(1));
    let told = sim.take_orders();
    assert!(
        told.iter().any(|order| matches!(order, Output::Signal { signal: Signal::Stop, .. })),
        "{told:?}"
    );
    sim.advance(ms(9_999));
    assert_eq!(count(&mut sim, is_signal), 0);
    sim.advance(ms(1));
    assert_eq!(sim.done, Some(Outcome::Stopped));
}

#[test]
fn a_stop_without_a_drain_has_no_longer_than_the_whole_may_take() {
    for (order, drain) in [(Input::Halt, Drain::Quiet), (Input::Stop, Drain::None)] {
        let shutdown_timeout = Some(ms(8_000));
        let (mut sim, _, _) = Sim::serving(with(settings(1), |s| {
            s.stop.drain = drain;
            s.stop.shutdown_timeout = shutdown_timeout
        }));
        sim.polite = false;
        sim.input(order);
        assert!(sim.notes.contains(&Note::Stopping { workers: 1, kill_in: Some(ms(8_000)) }));
        assert_eq!(count(&mut sim, is_signal), 1);
        sim.advance(ms(7_999));
        assert_eq!(count(&mut sim, is_signal), 0);
        sim.advance(ms(1));
        assert_eq!(count(&mut sim, is_signal), 1);
        assert_eq!(sim.done, Some(Outcome::Stopped));
    }
}

#[test]
fn a_second_word_ends_the_waiting() {
    let (mut sim, balancer, lanes) = Sim::serving(draining(1));
    sim.connect(balancer);
    sim.take(lanes[0]);
    sim.input(Input::Stop);
    sim.advance(ms(1_000));
    sim.input(Input::Stop);
    assert_eq!(count(&mut sim, is_signal), 0);
    sim.input(Input::Halt);
    assert_eq!(count(&mut sim, is_signal), 1);
    assert_eq!(sim.done, Some(Outcome::Stopped));
}

#[test]
fn halt_waits_for_nobody() {
    let (mut sim, balancer, lanes) = Sim::serving(draining(1));
    sim.connect(balancer);
    sim.take(lanes[0]);
    sim.input(Input::Halt);
    assert_eq!(sim.done, Some(Outcome::Stopped));
}

#[test]
fn a_worker_that_dies_meanwhile_is_replaced_for_what_is_left() {
    let (mut sim, balancer, lanes) = Sim::serving(with(draining(1), |s| s.restart.restart_delay = ms(0)));
    for _ in 0..4 {
        sim.connect(balancer);
    }
    sim.input(Input::Stop);
    sim.exit(0);
    assert!(!sim.lanes.contains_key(&lanes[0]));
    sim.advance(ms(10));
    let lane = sim.listen(0, balancer);
    let worker = sim.worker(0);
    for _ in 0..20 {
        if sim.lanes.contains_key(&lane) && sim.take(lane).is_some() {
            sim.finish(worker);
        }
        sim.advance(ms(100));
    }
    assert_eq!(sim.done, Some(Outcome::Stopped));
    assert!(sim.conns.values().all(|fate| *fate == Fate::Closed), "{:?}", sim.conns);
}

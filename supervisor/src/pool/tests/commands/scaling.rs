//! More workers and fewer: which slots come and go, and what becomes of those in between.

use crate::ids::WorkerId;
use crate::pool::tests::sim::{Sim, ms, settings, with};
use crate::pool::{Change, Input, Next, Note, Outcome, Output, Signal, State, WorkerCommand};
use crate::settings::Drain;

fn scale(sim: &mut Sim, workers: u32) -> Vec<Output> {
    sim.take_orders();
    sim.input(Input::Scale { workers });
    sim.take_orders()
}

fn slots(orders: &[Output]) -> Vec<u32> {
    let slots = orders.iter().filter_map(|order| match order {
        Output::Spawn { worker, .. } | Output::Signal { worker, signal: Signal::Stop } => Some(worker.slot),
        _ => None,
    });
    slots.collect()
}

#[test]
fn more_workers_start_at_once_as_far_as_there_are_boot_slots() {
    let (mut sim, balancer, _) = Sim::serving(with(settings(1), |s| s.max_starting = 2));
    assert_eq!(slots(&scale(&mut sim, 4)), [1, 2]);
    assert_eq!((sim.pool.count_workers(), sim.pool.wanted_workers()), (4, 4));
    sim.listen(1, balancer);
    assert_eq!(slots(&sim.take_orders()), [3]);
    assert!(sim.notes.contains(&Note::Scaled { from: 1, to: 4 }));
}

#[test]
fn the_highest_slots_stop_and_disappear_when_they_are_gone() {
    let (mut sim, _, _) = Sim::serving(settings(4));
    sim.polite = false;
    let orders = scale(&mut sim, 2);
    assert_eq!(slots(&orders), [2, 3]);
    assert_eq!((sim.pool.count_workers(), sim.pool.wanted_workers()), (4, 2), "they are seen until then");
    let (third, fourth) = (sim.worker(2), sim.worker(3));
    sim.take_changes();
    // The one before the last has to wait for the last: slots have no gaps.
    sim.exit(2);
    assert_eq!(sim.pool.count_workers(), 4);
    sim.advance(ms(10_000));
    assert_eq!(sim.pool.count_workers(), 2);
    let removed = |change: &Change| matches!(change, Change::WorkerRemoved { .. });
    let removed: Vec<_> = sim.take_changes().into_iter().filter(removed).collect();
    assert_eq!(removed, [fourth, third].map(|worker| Change::WorkerRemoved { worker }));
    sim.input(Input::Exited { worker: fourth, exit: crate::pool::Exit::Code(0) });
    assert_eq!(sim.pool.count_workers(), 2, "a name of the past");
}

#[test]
fn a_slot_that_comes_back_while_its_worker_stops_is_started_again() {
    let (mut sim, _, _) = Sim::serving(settings(3));
    sim.polite = false;
    scale(&mut sim, 1);
    assert_eq!(scale(&mut sim, 2), []);
    let State::Stopping(stop) = sim.slot(1).state() else { panic!("it does not stop") };
    assert_eq!(stop.next, Next::Start);
    sim.exit(2);
    sim.take_orders();
    sim.exit(1);
    assert_eq!(slots(&sim.take_orders()), [1]);
    assert_eq!(sim.worker(1), WorkerId { slot: 1, incarnation: 2 });
    assert_eq!(sim.pool.count_workers(), 2);
}

#[test]
fn a_slot_that_comes_back_later_goes_on_counting() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    let dead = sim.worker(1);
    scale(&mut sim, 1);
    scale(&mut sim, 2);
    assert_eq!(sim.worker(1), WorkerId { slot: 1, incarnation: 2 });
    assert_eq!(sim.slot(1).restarts(), 0, "it is another worker");
    sim.listen(1, balancer);
    sim.take_orders();
    sim.input(Input::Exited { worker: dead, exit: crate::pool::Exit::Code(0) });
    sim.input(Input::LaneClosed { lane: lanes[1] });
    assert_eq!(sim.take_orders(), []);
    assert_eq!(sim.pool.count_running_workers(), 2);
}

#[test]
fn a_worker_that_is_down_disappears_at_once() {
    let (mut sim, _, _) = Sim::serving(settings(3));
    sim.exit(2);
    sim.command(1, WorkerCommand::Stop);
    scale(&mut sim, 1);
    assert_eq!(sim.pool.count_workers(), 1);
    sim.advance(ms(100_000));
    assert_eq!(sim.pool.count_active_workers(), 1);
}

#[test]
fn a_worker_on_its_way_out_is_not_called_back_by_a_command() {
    let (mut sim, _, _) = Sim::serving(settings(2));
    sim.polite = false;
    scale(&mut sim, 1);
    for command in
        [WorkerCommand::Start, WorkerCommand::Restart, WorkerCommand::HangUp, WorkerCommand::Cordon]
    {
        sim.command(1, command);
    }
    assert_eq!(sim.take_orders(), []);
    sim.command(1, WorkerCommand::ForceStop);
    assert_eq!(sim.pool.count_workers(), 1);
}

#[test]
fn a_worker_that_is_debugged_has_its_time_though_its_slot_is_scaled_away() {
    let (mut sim, _, _) = Sim::serving(settings(2));
    sim.polite = false;
    sim.command(1, WorkerCommand::Debug);
    assert_eq!(scale(&mut sim, 1), []);
    sim.advance(ms(1_000_000));
    assert_eq!((sim.take_orders(), sim.pool.count_workers()), (vec![], 2));
    sim.exit(1);
    assert_eq!(sim.pool.count_workers(), 1);
}

#[test]
fn there_is_always_one_worker_and_the_same_number_is_no_news() {
    let (mut sim, _, _) = Sim::serving(settings(2));
    assert_eq!(scale(&mut sim, 2), []);
    assert_eq!(sim.take_notes(), []);
    scale(&mut sim, 0);
    assert_eq!((sim.pool.count_workers(), sim.notes[0].clone()), (1, Note::Scaled { from: 2, to: 1 }));
}

#[test]
fn before_the_start_a_number_is_a_number_and_after_the_end_it_is_nothing() {
    let mut sim = Sim::new(settings(2));
    assert_eq!(scale(&mut sim, 3), []);
    assert_eq!(scale(&mut sim, 1), []);
    sim.input(Input::Start);
    assert_eq!(slots(&sim.take_orders()), [0]);
    sim.polite = false;
    sim.input(Input::Stop);
    assert_eq!(scale(&mut sim, 4), []);
    sim.exit(0);
    assert_eq!(sim.done, Some(Outcome::Stopped));
    assert_eq!(scale(&mut sim, 4), []);
    assert_eq!(sim.pool.count_workers(), 1);
}

#[test]
fn when_only_workers_without_a_restart_are_left_the_cluster_ends() {
    let (mut sim, _, _) = Sim::serving(with(settings(2), |s| s.restart.respawn = 0));
    sim.exit(0);
    sim.polite = false;
    scale(&mut sim, 1);
    assert_eq!(sim.done, None);
    sim.exit(1);
    assert_eq!(sim.done, Some(Outcome::Exhausted));
}

#[test]
fn the_address_of_a_worker_that_was_scaled_away_closes() {
    let (mut sim, shared, _) = Sim::serving(settings(2));
    let own = sim.open();
    let lane = sim.listen(1, own);
    sim.advance(ms(40_000));
    sim.polite = false;
    scale(&mut sim, 1);
    assert_eq!(sim.pool.count_active_load_balancers(), 2, "it may still take what waits");
    // As soon as it stops listening: it will not come back.
    sim.input(Input::LaneClosed { lane });
    let ids: Vec<_> = sim.pool.balancers().map(|balancer| balancer.id()).collect();
    assert_eq!(ids, [shared]);
}

#[test]
fn a_slot_stays_until_its_successor_is_gone_too() {
    let rolling = with(settings(2), |s| {
        s.stop.drain = Drain::Quiet;
        s.rollout.max_surge = 2
    });
    let (mut sim, balancer, _) = Sim::serving(rolling);
    sim.input(Input::Reload { ticket: 1, in_place: false });
    let successor = WorkerId { slot: 1, incarnation: 2 };
    let lane = sim.listen_by(successor, balancer);
    (0..3).for_each(|_| sim.connect(balancer));
    assert!(sim.take(lane).is_some());
    let first = sim.worker(1);
    scale(&mut sim, 1);
    assert!(!sim.alive.contains(&first), "it has nothing left to do");
    assert!(sim.alive.contains(&successor), "it has a connection");
    // Whoever gets the slot now must not get a name that somebody has.
    assert_eq!(sim.pool.count_workers(), 2);
    scale(&mut sim, 2);
    assert!(!sim.slot(1).is_live() || sim.worker(1) != successor);
    scale(&mut sim, 1);
    sim.finish(successor);
    sim.advance(ms(20_000));
    assert_eq!(sim.pool.count_workers(), 1);
}

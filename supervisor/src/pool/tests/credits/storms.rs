//! Workers that wait at the queue itself: how long they do, and who is woken where the kernel may have woken the wrong one.

use crate::ids::{BalancerId, LaneId};
use crate::pool::Output;
use crate::pool::tests::sim::{Sim, settings};
use std::time::Duration;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Two lanes whose workers wait at the queue, after a burst.
fn waiting_at_the_queue() -> (Sim, BalancerId, Vec<LaneId>) {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(2));
    sim.direct = true;
    for _ in 0..8 {
        sim.connect(balancer);
    }
    for lane in &lanes {
        while sim.take(*lane).is_some() {}
    }
    assert!(lanes.iter().all(|lane| sim.lanes[lane].open && sim.lanes[lane].direct));
    (sim, balancer, lanes)
}

/// How often a worker was told of anything.
fn told(orders: &[Output]) -> usize {
    orders
        .iter()
        .filter(|order| matches!(order, Output::Grant { .. } | Output::Open { .. } | Output::Wake { .. }))
        .count()
}

/// `count` connections in each look, by so many accepts for each time the queue is found empty.
fn goes_on(sim: &mut Sim, balancer: BalancerId, lanes: &[LaneId], count: usize, in_a_row: usize) {
    for at in 0..count {
        for _ in 0..in_a_row {
            sim.connect(balancer);
        }
        while sim.take(lanes[at % 2]).is_some() {}
    }
    sim.advance(ms(4));
}

#[test]
fn as_long_as_they_are_behind_nobody_is_told_of_arrivals() {
    let (mut sim, balancer, lanes) = waiting_at_the_queue();
    for _ in 0..20 {
        goes_on(&mut sim, balancer, &lanes, 4, 3);
        assert!(sim.pool.is_hushed(balancer));
    }
    let orders = sim.take_orders();
    assert_eq!(told(&orders), 4, "two singles, and two open credits once the burst was one: {orders:?}");
}

#[test]
fn once_they_find_the_queue_empty_for_each_connection_it_goes_by_turns() {
    let (mut sim, balancer, lanes) = waiting_at_the_queue();
    for _ in 0..4 {
        goes_on(&mut sim, balancer, &lanes, 8, 1);
    }
    assert!(lanes.iter().all(|lane| !sim.lanes[lane].open), "{:?}", sim.lanes);
    sim.connect(balancer);
    let told = lanes.iter().filter(|lane| !sim.lanes[*lane].queue.is_empty());
    assert!(told.count() >= 1);
}

#[test]
fn it_ends_when_nobody_comes() {
    let (mut sim, _, lanes) = waiting_at_the_queue();
    sim.advance(ms(20));
    assert!(lanes.iter().all(|lane| !sim.lanes[lane].open), "{:?}", sim.lanes);
}

#[test]
fn who_is_taken_out_of_rotation_keeps_no_connection_from_the_others() {
    let (mut sim, balancer, lanes) = waiting_at_the_queue();
    // The kernel has woken the first for it.
    sim.connect(balancer);
    sim.command(0, crate::pool::WorkerCommand::Cordon);
    assert!(!sim.lanes[&lanes[0]].open);
    assert!(sim.lanes[&lanes[1]].woken, "the other may sleep");
    assert!(sim.take(lanes[1]).is_some());
}

#[test]
fn who_dies_keeps_no_connection_from_the_others() {
    let (mut sim, balancer, lanes) = waiting_at_the_queue();
    sim.connect(balancer);
    sim.exit(0);
    assert!(sim.lanes[&lanes[1]].woken, "the other may sleep");
}

#[test]
fn a_connection_that_nobody_was_woken_for_is_told_of() {
    let (mut sim, balancer, lanes) = waiting_at_the_queue();
    goes_on(&mut sim, balancer, &lanes, 4, 3);
    sim.take_orders();
    sim.connect(balancer);
    assert_eq!(sim.take_orders(), []);
    sim.advance(ms(9));
    assert!(told(&sim.take_orders()) >= 1);
}

#[test]
fn who_is_far_ahead_waits_behind_the_others_and_keeps_its_right() {
    let (mut sim, balancer, lanes) = waiting_at_the_queue();
    for _ in 0..60 {
        for _ in 0..2 {
            sim.connect(balancer);
        }
        while sim.take(lanes[0]).is_some() {}
    }
    sim.connect(balancer);
    assert!(sim.take(lanes[1]).is_some());
    sim.take_orders();
    sim.advance(ms(6));
    let lane = lanes[0];
    let orders = sim.take_orders();
    let moves: Vec<_> = orders
        .iter()
        .filter(|order| matches!(order, Output::TakeBack { .. } | Output::Open { .. }))
        .collect();
    assert_eq!(moves, [&Output::TakeBack { lane }, &Output::Open { lane }]);
    assert!(sim.lanes[&lane].open && sim.pool.is_hushed(balancer));
}

//! Steady traffic: when the kernel begins to wake workers by turns, what ends it, and who is not forgotten meanwhile.

use crate::ids::{BalancerId, LaneId};
use crate::pool::tests::sim::{Sim, settings};
use crate::pool::{Input, Output, WorkerCommand};
use std::time::Duration;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn cluster(workers: u32) -> (Sim, BalancerId, Vec<LaneId>) {
    let (mut sim, balancer, lanes) = Sim::on_credit_at_the_queue(settings(workers));
    sim.take_orders();
    (sim, balancer, lanes)
}

/// One client after the other, each of whom whoever is told of it takes: a lane that was sent a single, or who waits at the queue, by
/// turns as the kernel wakes them.
fn one_after_the_other(sim: &mut Sim, balancer: BalancerId, lanes: &[LaneId], count: usize) {
    for at in 0..count {
        sim.connect(balancer);
        let told = lanes.iter().find(|lane| !sim.lanes[*lane].queue.is_empty() && !sim.lanes[*lane].open);
        let by_kernel = lanes[at % lanes.len()];
        // A record of an open credit is taken off when it comes, whether somebody waits or not.
        for lane in lanes {
            while sim.lanes[lane].open && !sim.lanes[lane].direct && sim.take(*lane).is_some() {}
        }
        let lane = told.copied().unwrap_or(by_kernel);
        if sim.queued(balancer) > 0 {
            assert!(sim.take(lane).is_some(), "{:?}", sim.lanes);
        }
        if at % 4 == 3 {
            sim.advance(ms(1));
        }
    }
}

fn is_steady(sim: &Sim, lanes: &[LaneId]) -> bool {
    lanes.iter().all(|lane| sim.lanes[lane].open && sim.lanes[lane].one_each)
}

fn told(orders: &[Output]) -> usize {
    let told =
        |order: &&Output| matches!(order, Output::Grant { .. } | Output::Open { .. } | Output::Wake { .. });
    orders.iter().filter(told).count()
}

#[test]
fn the_first_thousand_go_by_turns_and_then_nobody_is_told() {
    let (mut sim, balancer, lanes) = cluster(3);
    one_after_the_other(&mut sim, balancer, &lanes, 999);
    assert!(!is_steady(&sim, &lanes));
    let grants = sim.take_orders().into_iter().filter(|order| matches!(order, Output::Grant { .. })).count();
    assert_eq!(grants, 999);
    one_after_the_other(&mut sim, balancer, &lanes, 10);
    assert!(is_steady(&sim, &lanes), "{:?}", sim.lanes);
    sim.take_orders();
    one_after_the_other(&mut sim, balancer, &lanes, 400);
    assert_eq!(told(&sim.take_orders()), 0);
    assert!(sim.pool.is_hushed(balancer));
}

#[test]
fn with_gaps_it_goes_by_turns() {
    let (mut sim, balancer, lanes) = cluster(2);
    for _ in 0..4 {
        one_after_the_other(&mut sim, balancer, &lanes, 900);
        sim.advance(ms(120));
    }
    assert!(!is_steady(&sim, &lanes));
}

#[test]
fn it_ends_when_nobody_comes() {
    let (mut sim, balancer, lanes) = cluster(2);
    one_after_the_other(&mut sim, balancer, &lanes, 1_100);
    assert!(is_steady(&sim, &lanes));
    sim.advance(ms(25));
    assert!(lanes.iter().all(|lane| !sim.lanes[lane].open));
    sim.take_orders();
    sim.connect(balancer);
    assert_eq!(told(&sim.take_orders()), 1);
}

#[test]
fn once_they_are_behind_each_takes_as_many_as_it_likes() {
    let (mut sim, balancer, lanes) = cluster(2);
    one_after_the_other(&mut sim, balancer, &lanes, 1_100);
    for _ in 0..6 {
        sim.connect(balancer);
    }
    sim.advance(ms(1));
    assert!(lanes.iter().all(|lane| sim.lanes[lane].open && !sim.lanes[lane].one_each), "{:?}", sim.lanes);
}

#[test]
fn each_second_a_few_turns_show_who_does_not_take_them() {
    let (mut sim, balancer, lanes) = cluster(2);
    one_after_the_other(&mut sim, balancer, &lanes, 1_100);
    sim.take_orders();
    one_after_the_other(&mut sim, balancer, &lanes, 8_000);
    let orders = sim.take_orders();
    let grants = orders.iter().filter(|order| matches!(order, Output::Grant { .. })).count();
    assert!((8..=20).contains(&grants), "{grants}");
    assert!(is_steady(&sim, &lanes));
}

#[test]
fn while_one_is_suspect_it_goes_by_turns() {
    let (mut sim, balancer, lanes) = cluster(3);
    one_after_the_other(&mut sim, balancer, &lanes, 1_100);
    assert!(is_steady(&sim, &lanes));
    let (worker, lag) = (sim.worker(0), sim.pool.settings().health.lag_limit.unwrap_or_default() * 2);
    sim.input(Input::Lag { worker, lag });
    sim.advance(ms(20));
    assert!(!sim.lanes[&lanes[0]].open, "{:?}", sim.lanes);
    one_after_the_other(&mut sim, balancer, &lanes[1..], 2_000);
    assert!(
        !lanes[1..].iter().any(|lane| sim.lanes[lane].one_each && sim.lanes[lane].open),
        "{:?}",
        sim.lanes
    );
}

#[test]
fn who_is_taken_out_keeps_no_connection_from_the_others() {
    let (mut sim, balancer, lanes) = cluster(2);
    one_after_the_other(&mut sim, balancer, &lanes, 1_100);
    // The kernel has woken the first for it.
    sim.connect(balancer);
    sim.command(0, WorkerCommand::Cordon);
    assert!(!sim.lanes[&lanes[0]].open);
    assert!(sim.lanes[&lanes[1]].woken, "the other may sleep");
}

#[test]
fn a_connection_that_whoever_was_woken_does_not_take_is_told_to_others_within_two_milliseconds() {
    let (mut sim, balancer, lanes) = cluster(2);
    one_after_the_other(&mut sim, balancer, &lanes, 1_100);
    sim.advance(ms(1));
    sim.take_orders();
    sim.connect(balancer);
    sim.advance(ms(2));
    assert!(lanes.iter().any(|lane| sim.lanes[lane].woken) || told(&sim.take_orders()) > 0);
}

#[test]
fn it_ends_also_where_one_has_shut_its_credit_and_nobody_comes() {
    let (mut sim, balancer, lanes) = cluster(3);
    one_after_the_other(&mut sim, balancer, &lanes, 1_100);
    assert!(is_steady(&sim, &lanes));
    sim.shut_by_the_program(lanes[0]);
    sim.advance(ms(30));
    assert!(lanes.iter().all(|lane| !sim.lanes[lane].open), "{:?}", sim.lanes);
}

#[test]
fn whose_requests_have_become_long_is_given_turns_again() {
    let (mut sim, balancer, lanes) = cluster(2);
    one_after_the_other(&mut sim, balancer, &lanes, 1_100);
    assert!(is_steady(&sim, &lanes));
    sim.one_by_one(lanes[0], true);
    assert!(!sim.lanes[&lanes[0]].open);
    sim.advance(ms(30));
    sim.take_orders();
    for _ in 0..2 {
        sim.connect(balancer);
        let told = lanes.iter().copied().find(|lane| !sim.lanes[lane].queue.is_empty());
        assert!(
            told.is_some_and(|lane| sim.take(lane).is_some()),
            "{:?} {:?} {:?}",
            sim.take_orders(),
            sim.lanes,
            lanes.iter().map(|l| sim.pool.lane(*l)).collect::<Vec<_>>()
        );
    }
    let grants = sim
        .take_orders()
        .into_iter()
        .filter(|order| matches!(order, Output::Grant { lane } if *lane == lanes[0]));
    assert_eq!(grants.count(), 1);
}

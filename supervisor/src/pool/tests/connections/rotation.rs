//! Which lane is next: strict rotation, new lanes, restarted workers.

use crate::ids::LaneId;
use crate::pool::tests::sim::{Record, Sim, settings};
use crate::pool::{Input, Output};

/// Connects `n` clients one after the other, each taken at once, and tells the lanes they went to.
fn sequence(sim: &mut Sim, balancer: crate::ids::BalancerId, n: usize) -> Vec<LaneId> {
    let mut lanes = Vec::new();
    for _ in 0..n {
        sim.take_orders();
        sim.connect(balancer);
        let dispatched = sim.take_orders().into_iter().find_map(|order| match order {
            Output::Dispatch { lane, .. } => Some(lane),
            _ => None,
        });
        let lane = dispatched.expect("a lane is ready");
        assert!(matches!(sim.take(lane), Some(Record::Conn(_))));
        lanes.push(lane);
    }
    lanes
}

#[test]
fn four_connections_hit_four_workers_and_the_order_repeats_exactly() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(4));
    assert_eq!(sequence(&mut sim, balancer, 4), lanes);
    assert_eq!(sequence(&mut sim, balancer, 10), [&lanes[..], &lanes[..], &lanes[..2]].concat());
}

#[test]
fn lanes_that_open_after_a_connection_come_before_the_one_that_had_it() {
    let mut sim = Sim::new(settings(4));
    sim.input(Input::Start);
    let balancer = sim.open();
    let first = sim.listen(0, balancer);
    assert_eq!(sequence(&mut sim, balancer, 1), [first]);
    let second = sim.listen(1, balancer);
    let third = sim.listen(2, balancer);
    let fourth = sim.listen(3, balancer);
    assert_eq!(sequence(&mut sim, balancer, 5), [second, third, fourth, first, second]);
}

#[test]
fn a_restarted_worker_gets_one_connection_and_no_burst() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(3));
    sequence(&mut sim, balancer, 5);
    sim.advance(sim.pool.settings().restart.min_uptime);
    sim.exit(0);
    let fresh = sim.listen(0, balancer);
    assert_eq!(sequence(&mut sim, balancer, 6), [fresh, lanes[2], lanes[1], fresh, lanes[2], lanes[1]]);
}

#[test]
fn balancers_rotate_each_for_itself() {
    let (mut sim, one, first) = Sim::serving(settings(2));
    let two = sim.open();
    let second = [sim.listen(0, two), sim.listen(1, two)];
    assert_eq!(sequence(&mut sim, one, 1), [first[0]]);
    assert_eq!(sequence(&mut sim, two, 1), [second[0]]);
    assert_eq!(sequence(&mut sim, one, 2), [first[1], first[0]]);
    assert_eq!(sequence(&mut sim, two, 2), [second[1], second[0]]);
}

#[test]
fn several_lanes_of_one_worker_take_turns_like_any_others() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    let child = sim.listen(0, balancer);
    assert_eq!(sequence(&mut sim, balancer, 4), [lanes[0], lanes[1], child, lanes[0]]);
}

//! Balancers whose connections the kernel brings to workers: the shell is told who takes part, and nothing else.

use crate::ids::LaneId;
use crate::pool::sim::{Sim, ms, settings};
use crate::pool::{Command, Input, Output, Settings, WhenNoWorker};
use std::collections::BTreeSet;

fn all(lanes: &[LaneId]) -> BTreeSet<LaneId> {
    lanes.iter().copied().collect()
}

#[test]
fn who_listens_takes_part_and_is_ready() {
    let (sim, balancer, lanes) = Sim::on_kernel(settings(3));
    assert_eq!(sim.steered, all(&lanes));
    assert_eq!(sim.pool.count_running_workers(), 3);
    assert!(
        !sim.pool.may_accept(balancer) && !sim.pool.wants_queue(balancer),
        "nobody is to accept for them"
    );
}

#[test]
fn one_that_is_cordoned_takes_no_part_until_it_is_uncordoned() {
    let (mut sim, _, lanes) = Sim::on_kernel(settings(2));
    sim.command(0, Command::Cordon);
    assert_eq!(sim.steered, all(&lanes[1..]));
    sim.command(0, Command::Uncordon);
    assert_eq!(sim.steered, all(&lanes));
}

#[test]
fn one_that_lags_takes_no_part_until_it_keeps_up() {
    let (mut sim, _, lanes) = Sim::on_kernel(settings(2));
    let worker = sim.worker(0);
    sim.input(Input::Lag { worker, lag: ms(1_500) });
    assert_eq!(sim.steered, all(&lanes[1..]));
    for _ in 0..200 {
        sim.advance(ms(100));
        sim.input(Input::Lag { worker, lag: ms(0) });
    }
    assert_eq!(sim.steered, all(&lanes));
}

#[test]
fn one_that_drains_has_left_before_its_drain_is_ordered() {
    let settings = Settings { drain_timeout: Some(ms(5_000)), ..settings(2) };
    let (mut sim, _, lanes) = Sim::on_kernel(settings);
    sim.command(0, Command::Restart);
    let orders = sim.take_orders();
    let place = |wanted: &dyn Fn(&Output) -> bool| orders.iter().position(wanted);
    let left = place(&|order| *order == Output::Steer { lane: lanes[0], takes_part: false });
    let drains = place(&|order| matches!(order, Output::Drain { .. }));
    assert!(left.is_some() && left < drains, "{orders:?}");
}

#[test]
fn one_that_dies_is_replaced_and_the_next_takes_part() {
    let (mut sim, balancer, lanes) = Sim::on_kernel(settings(2));
    sim.exit(0);
    assert_eq!(sim.steered, all(&lanes[1..]));
    sim.advance(ms(200));
    let next = sim.listen(0, balancer);
    assert_eq!(sim.steered, all(&[lanes[1], next]));
}

#[test]
fn what_comes_while_there_is_no_worker_is_refused_in_the_end() {
    let refuse = WhenNoWorker::Hold { refuse_after: Some(ms(1_000)) };
    let settings = Settings { when_no_worker: refuse, restart_delay: ms(10_000), ..settings(1) };
    let (mut sim, balancer, _) = Sim::on_kernel(settings);
    sim.exit(0);
    assert!(!sim.pool.may_accept(balancer));
    sim.advance(ms(1_100));
    assert!(sim.pool.may_accept(balancer), "to refuse it");
    sim.advance(ms(15_000));
    sim.listen(0, balancer);
    assert!(!sim.pool.may_accept(balancer));
}

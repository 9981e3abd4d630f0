//! A bound on the open connections of a worker.

use crate::pool::tests::sim::{Sim, ms, settings, with};
use crate::pool::{Input, LaneStatus, Output, Settings, WorkerCommand};

fn limited(workers: u32, max: u32) -> Settings {
    with(settings(workers), |s| {
        s.balancing.max_connections = Some(max);
        s.balancing.window = Some(8);
        s.health.lag_limit = None
    })
}

#[test]
fn a_worker_with_as_many_as_it_may_have_gets_none_until_a_count_says_less() {
    let (mut sim, balancer, lanes) = Sim::serving(limited(2, 2));
    for _ in 0..5 {
        sim.connect(balancer);
        lanes.iter().for_each(|lane| while sim.take(*lane).is_some() {});
    }
    assert_eq!(sim.queued(balancer), 1, "all have as many as they may: the rest waits in the kernel");
    assert!(!sim.pool.may_accept(balancer));
    assert_eq!(sim.pool.lane(lanes[0]).map(|lane| lane.status()), Some(LaneStatus::AtLimit));
    let worker = sim.worker(1);
    assert!(sim.slot(1).is_full(sim.pool.settings()));
    sim.count_connections(worker);
    assert_eq!(sim.queued(balancer), 1, "it still has two");
    sim.finish(worker);
    sim.take_orders();
    sim.count_connections(worker);
    let orders = sim.take_orders();
    assert_eq!(orders[0], Output::Resume { balancer });
    assert!(matches!(orders[1], Output::Dispatch { lane, .. } if lane == lanes[1]));
    assert!(!sim.pool.may_accept(balancer));
}

#[test]
fn a_full_worker_is_counted_soon_and_then_less_and_less_often() {
    let (mut sim, balancer, lanes) = Sim::serving(limited(1, 1));
    sim.connect(balancer);
    sim.take(lanes[0]);
    let worker = sim.worker(0);
    let begin = sim.now;
    let mut counts = Vec::new();
    while counts.len() < 12 {
        sim.take_orders();
        assert!(sim.step());
        if sim.take_orders().contains(&Output::Count { worker }) {
            counts.push((sim.now - begin).as_millis());
        }
    }
    assert_eq!(counts, [1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 1663, 2303]);
    sim.finish(worker);
    sim.connect(balancer);
    assert_eq!(sim.queued(balancer), 1);
    sim.advance(ms(640));
    assert_eq!(sim.queued(balancer), 0, "the count found room");
    // And again from the beginning.
    let begin = sim.now;
    sim.take_orders();
    while !sim.take_orders().contains(&Output::Count { worker }) {
        assert!(sim.step());
    }
    assert!(sim.now - begin <= ms(1));
}

#[test]
fn one_with_room_is_not_counted() {
    let (mut sim, balancer, lanes) = Sim::serving(limited(1, 2));
    sim.connect(balancer);
    sim.take(lanes[0]);
    sim.advance(ms(100_000));
    assert!(!sim.take_orders().iter().any(|order| matches!(order, Output::Count { .. })));
}

#[test]
fn the_limit_counts_over_all_addresses_and_all_lanes() {
    let (mut sim, one, lanes) = Sim::serving(limited(1, 3));
    let two = sim.open();
    let more = [sim.listen(0, two), sim.listen(0, one)];
    sim.connect(one);
    sim.connect(two);
    assert!(sim.pool.may_accept(one) && sim.pool.may_accept(two));
    sim.connect(one);
    assert!(!sim.pool.may_accept(one) && !sim.pool.may_accept(two));
    for lane in [lanes[0], more[0], more[1]] {
        assert_eq!(sim.pool.lane(lane).map(|lane| lane.status()), Some(LaneStatus::AtLimit));
    }
    // Both are served again when there is room again.
    sim.take(lanes[0]);
    sim.finish(sim.worker(0));
    sim.connect(two);
    sim.count_connections(sim.worker(0));
    assert_eq!(sim.queued(two), 0);
}

#[test]
fn connections_that_come_back_count_against_the_limit_of_who_gets_them() {
    let (mut sim, balancer, _) = Sim::serving(limited(2, 2));
    (0..4).for_each(|_| sim.connect(balancer));
    sim.exit(0);
    assert_eq!(sim.pool.held(), 2, "the other has its two");
    sim.advance(ms(200));
    let lane = sim.listen(0, balancer);
    assert_eq!((sim.pool.held(), sim.lanes[&lane].queue.len()), (0, 2));
    assert!(!sim.pool.may_accept(balancer));
}

#[test]
fn a_connection_that_a_lane_did_not_take_does_not_count() {
    let (mut sim, balancer, lanes) = Sim::serving(limited(1, 2));
    sim.capacity = 1;
    sim.connect(balancer);
    sim.connect(balancer);
    assert_eq!(sim.pool.held(), 1);
    assert_eq!(sim.pool.lane(lanes[0]).map(|lane| lane.status()), Some(LaneStatus::Full));
    sim.take(lanes[0]);
    assert_eq!(sim.pool.held(), 0);
}

#[test]
fn a_count_may_find_more_than_was_given() {
    let (mut sim, balancer, _) = Sim::serving(limited(1, 2));
    let worker = sim.worker(0);
    sim.input(Input::OpenConnections { worker, open: 5 });
    assert!(!sim.pool.may_accept(balancer));
    sim.input(Input::OpenConnections { worker, open: 1 });
    assert!(sim.pool.may_accept(balancer));
}

#[test]
fn a_cordon_goes_before_the_limit_and_the_limit_comes_back_after_it() {
    let (mut sim, balancer, lanes) = Sim::serving(limited(1, 1));
    sim.connect(balancer);
    sim.take(lanes[0]);
    sim.command(0, WorkerCommand::Cordon);
    sim.take_orders();
    sim.advance(ms(100_000));
    assert!(!sim.take_orders().iter().any(|order| matches!(order, Output::Count { .. })));
    sim.command(0, WorkerCommand::Uncordon);
    assert_eq!(sim.pool.lane(lanes[0]).map(|lane| lane.status()), Some(LaneStatus::AtLimit));
    sim.finish(sim.worker(0));
    sim.advance(ms(10));
    assert!(sim.pool.may_accept(balancer));
}

#[test]
fn a_count_that_was_answered_before_a_dispatch_was_heard_of_does_not_forget_it() {
    let (mut sim, balancer, lanes) = Sim::serving(limited(1, 1));
    let (conn, source, worker) = (crate::ids::ConnId(999), 0, sim.worker(0));
    sim.conns.insert(conn, crate::pool::tests::sim::Fate::Held);
    // The shell's answer overtakes the order, as when both were due in one turn.
    sim.pool.handle(sim.now, Input::Accepted { conn, balancer, source });
    sim.pool.handle(sim.now, Input::OpenConnections { worker, open: 0 });
    sim.drain();
    assert_eq!(sim.lanes[&lanes[0]].queue.len(), 1);
    assert!(!sim.pool.may_accept(balancer));
}

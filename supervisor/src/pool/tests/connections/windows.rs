//! Back-pressure: windows, measures, watches, and what is held in the meantime.

use crate::ids::{BalancerId, ConnId, LaneId};
use crate::pool::tests::sim::{Fate, Record, Sim, ms, settings, with};
use crate::pool::{Input, LaneStatus, Output};

fn dispatches(orders: &[Output]) -> Vec<LaneId> {
    orders
        .iter()
        .filter_map(|order| match order {
            Output::Dispatch { lane, .. } => Some(*lane),
            _ => None,
        })
        .collect()
}

fn connect(sim: &mut Sim, balancer: BalancerId, n: usize) -> Vec<Output> {
    (0..n).for_each(|_| sim.connect(balancer));
    sim.take_orders()
}

#[test]
fn a_lane_is_measured_only_at_its_window_and_then_filled_up() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(1));
    let lane = lanes[0];
    assert_eq!(dispatches(&connect(&mut sim, balancer, 2)), [lane; 2]);
    sim.take(lane);
    let orders = connect(&mut sim, balancer, 1);
    assert_eq!(orders[0], Output::Measure { lane });
    assert!(matches!(orders[1], Output::Dispatch { .. }));
    assert_eq!(orders[2], Output::Resume { balancer });
    assert_eq!(sim.lanes[&lane].queue.len(), 2);
}

#[test]
fn a_full_lane_is_skipped_until_it_drains() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    connect(&mut sim, balancer, 4);
    sim.take(lanes[1]);
    let orders = connect(&mut sim, balancer, 1);
    assert_eq!(orders[..2], [Output::Measure { lane: lanes[0] }, Output::Watch { lane: lanes[0] }]);
    assert_eq!(dispatches(&orders), [lanes[1]]);
    // Known to be full: the next connection does not ask again.
    sim.take(lanes[1]);
    let orders = connect(&mut sim, balancer, 1);
    assert!(!orders.contains(&Output::Measure { lane: lanes[0] }));
    assert_eq!(dispatches(&orders), [lanes[1]]);
    // Drained, it is the least recent again.
    sim.take(lanes[1]);
    sim.take(lanes[0]);
    assert_eq!(dispatches(&connect(&mut sim, balancer, 1)), [lanes[0]]);
}

#[test]
fn when_all_are_full_accepting_stops_and_the_next_that_drains_is_served() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    connect(&mut sim, balancer, 7);
    assert!(!sim.pool.may_accept(balancer));
    assert_eq!(sim.pool.held(), 1);
    assert_eq!(sim.queued(balancer), 2, "the rest waits in the kernel");
    let orders = {
        sim.take(lanes[1]);
        sim.take_orders()
    };
    // The held one goes out, and one more comes in and finds both full again.
    assert_eq!(dispatches(&orders), [lanes[1]]);
    assert!(orders.contains(&Output::Resume { balancer }));
    assert_eq!((sim.pool.held(), sim.queued(balancer)), (1, 1));
    for _ in 0..4 {
        sim.take(lanes[0]);
        sim.take(lanes[1]);
    }
    assert_eq!((sim.pool.held(), sim.queued(balancer)), (0, 0));
    assert!(sim.pool.may_accept(balancer));
}

#[test]
fn a_watch_is_ordered_again_when_a_lane_drained_too_little() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(1));
    let lane = lanes[0];
    sim.capacity = 4;
    connect(&mut sim, balancer, 2);
    sim.input(Input::Measured { lane, waiting: 3 });
    assert_eq!(sim.take_orders(), [Output::Watch { lane }]);
    sim.input(Input::Measured { lane, waiting: 2 });
    assert_eq!(sim.take_orders(), [Output::Watch { lane }]);
    sim.input(Input::Measured { lane, waiting: 1 });
    assert_eq!(sim.take_orders(), [Output::Resume { balancer }]);
}

#[test]
fn the_answer_to_a_measure_may_be_late_and_held_connections_keep_their_order() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(1));
    let lane = lanes[0];
    connect(&mut sim, balancer, 2);
    sim.prompt = false;
    assert_eq!(connect(&mut sim, balancer, 3), [Output::Measure { lane }]);
    assert_eq!((sim.pool.held(), sim.queued(balancer)), (1, 2));
    // One that comes back while the answer is out goes first.
    let returned = ConnId(999);
    sim.conns.insert(returned, Fate::Held);
    sim.input(Input::Returned { conn: returned, balancer, source: 0 });
    assert_eq!(sim.take_orders(), []);
    sim.input(Input::Measured { lane, waiting: 1 });
    let orders = sim.take_orders();
    assert_eq!(orders[0], Output::Dispatch { conn: returned, lane });
    assert_eq!(orders[1], Output::Measure { lane });
}

#[test]
fn a_lane_that_does_not_take_a_connection_is_full_and_the_connection_goes_elsewhere() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    sim.capacity = 1;
    let orders = connect(&mut sim, balancer, 3);
    assert_eq!(dispatches(&orders), [lanes[0], lanes[1], lanes[0], lanes[1]]);
    assert_eq!(sim.pool.held(), 1);
    assert!(sim.pool.lanes().all(|(_, lane)| lane.status() == LaneStatus::Full));
    sim.take(lanes[1]);
    assert_eq!(sim.pool.held(), 0);
    assert_eq!(sim.lanes[&lanes[1]].queue.len(), 1);
}

#[test]
fn a_lane_that_gives_back_without_a_measure_is_not_tried_at_once_again() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(1));
    sim.prompt = false;
    sim.capacity = 0;
    connect(&mut sim, balancer, 1);
    let returned = sim.pending.pop_back().expect("the lane took nothing");
    sim.pending.clear();
    sim.tell(returned);
    sim.drain();
    assert_eq!(sim.take_orders(), [Output::Watch { lane: lanes[0] }]);
    sim.prompt = true;
    sim.capacity = 1;
    sim.advance(sim.pool.settings().look_after);
    assert_eq!(sim.pool.held(), 0, "the look found it empty");
}

#[test]
fn returned_connections_go_before_accepted_ones_oldest_first() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    connect(&mut sim, balancer, 6);
    let accepted = sim.conns.iter().find(|(_, fate)| **fate == Fate::Held).map(|(conn, _)| *conn);
    let accepted = accepted.expect("one was accepted before both were known to be full");
    let waiting = sim.lanes[&lanes[0]].queue.clone();
    sim.exit(0);
    assert_eq!(sim.pool.held(), 3);
    sim.take_orders();
    let mut order = Vec::new();
    for _ in 0..5 {
        order.extend(sim.take(lanes[1]));
    }
    let expected = [waiting[0], waiting[1], Record::Conn(accepted)];
    assert_eq!(order[2..], expected);
}

#[test]
fn what_a_dead_worker_left_in_its_lane_goes_to_the_others() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(3));
    connect(&mut sim, balancer, 3);
    let orphan = sim.lanes[&lanes[0]].queue[0];
    sim.exit(0);
    let orders = sim.take_orders();
    assert_eq!(orders[0], Output::Retire { lane: lanes[0] });
    assert_eq!(sim.lanes[&lanes[1]].queue[1], orphan);
}

#[test]
fn a_count_that_was_made_before_a_dispatch_was_heard_of_does_not_forget_it() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(1));
    let (conn, lane) = (ConnId(999), lanes[0]);
    for input in [Input::Looked { lane, waiting: 0, held: true }, Input::Measured { lane, waiting: 0 }] {
        sim.conns.insert(conn, Fate::Held);
        sim.pool.handle(sim.now, Input::Accepted { conn, balancer, source: 0 });
        sim.pool.handle(sim.now, input);
        assert_eq!(sim.pool.lane(lane).map(|lane| lane.in_flight()), Some(1));
        sim.drain();
        sim.take(lane);
        sim.input(Input::Looked { lane, waiting: 0, held: true });
    }
}

#[test]
fn without_a_lane_nothing_is_accepted() {
    let mut sim = Sim::new(settings(1));
    sim.input(Input::Start);
    let balancer = sim.open();
    sim.connect(balancer);
    assert!(!sim.pool.may_accept(balancer));
    sim.take_orders();
    let lane = sim.listen(0, balancer);
    let orders = sim.take_orders();
    assert_eq!(orders[0], Output::Resume { balancer });
    assert_eq!(dispatches(&orders), [lane]);
}

#[test]
fn a_connection_for_a_stranger_is_refused_and_a_lane_of_a_stranger_closed() {
    let (mut sim, balancer, lanes) = Sim::serving(with(settings(1), |s| s.restart.respawn = -1));
    let (conn, nowhere) = (ConnId(999), BalancerId(999));
    sim.conns.insert(conn, Fate::Held);
    sim.input(Input::Accepted { conn, balancer: nowhere, source: 0 });
    assert_eq!(sim.conns[&conn], Fate::Refused);
    let stale = sim.worker(0);
    sim.exit(0);
    sim.take_orders();
    let lane = LaneId(999);
    sim.input(Input::LaneOpened { lane, worker: stale, balancer });
    assert_eq!(sim.take_orders(), [Output::Retire { lane }]);
    sim.input(Input::Measured { lane: lanes[0], waiting: 9 });
    sim.input(Input::LaneClosed { lane: lanes[0] });
    assert_eq!(sim.take_orders(), []);
}

#[test]
fn one_by_one_a_lane_gets_the_next_once_its_thread_waits() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    for lane in &lanes {
        sim.one_by_one(*lane, true);
    }
    sim.take_orders();
    assert_eq!(dispatches(&connect(&mut sim, balancer, 2)), lanes);
    // Taken, and so no longer in the lane; but its thread is busy with it.
    sim.take(lanes[0]);
    let orders = connect(&mut sim, balancer, 1);
    assert_eq!(dispatches(&orders), []);
    assert!(orders.contains(&Output::Watch { lane: lanes[0] }));
    assert_eq!(sim.pool.held(), 1);
    sim.take(lanes[1]);
    sim.wait(lanes[1]);
    assert_eq!(dispatches(&sim.take_orders()), [lanes[1]], "whoever is free first, in its turn or not");
    sim.wait(lanes[0]);
    // Both wait: in turn again.
    sim.take(lanes[1]);
    sim.wait(lanes[1]);
    sim.take_orders();
    assert_eq!(dispatches(&connect(&mut sim, balancer, 2)), lanes);
}

#[test]
fn a_lane_whose_requests_are_short_again_has_its_window_at_once() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(1));
    sim.one_by_one(lanes[0], true);
    connect(&mut sim, balancer, 4);
    sim.take(lanes[0]);
    assert_eq!((sim.pool.held(), sim.queued(balancer)), (1, 2));
    sim.take_orders();
    sim.one_by_one(lanes[0], false);
    assert_eq!(dispatches(&sim.take_orders()), [lanes[0]; 2]);
    assert_eq!(sim.lanes[&lanes[0]].queue.len(), 2);
    // And the other way round: what waits beyond one is taken before there is another.
    sim.one_by_one(lanes[0], true);
    sim.take(lanes[0]);
    sim.wait(lanes[0]);
    assert_eq!(dispatches(&sim.take_orders()), []);
    sim.take(lanes[0]);
    sim.wait(lanes[0]);
    assert_eq!(dispatches(&sim.take_orders()), [lanes[0]]);
}

#[test]
fn who_is_passed_over_for_being_busy_is_wanted() {
    let examined = |others: usize| {
        let (mut sim, balancer, lanes) = Sim::serving(settings(2));
        for lane in &lanes {
            sim.one_by_one(*lane, true);
        }
        connect(&mut sim, balancer, 1);
        sim.take(lanes[0]);
        for _ in 0..others {
            connect(&mut sim, balancer, 1);
            sim.take(lanes[1]);
            sim.wait(lanes[1]);
        }
        let worker = sim.worker(0);
        sim.take_orders();
        for lag in 1..=30 {
            sim.advance(ms(1_000));
            sim.look(&[(0, lag * 1_000)]);
        }
        sim.take_orders().contains(&Output::Examine { worker })
    };
    assert!(!examined(0), "nobody wanted it");
    assert!(!examined(1), "the other was next");
    assert!(examined(2), "its turn came");
}

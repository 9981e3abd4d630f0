//! What waits behind a worker that takes long: who gets it, when, and that nothing happens while all keep up.

use crate::ids::{BalancerId, ConnId, LaneId};
use crate::pool::sim::{Fate, Record, Sim, ms, settings};
use crate::pool::{Activity, Change, Input, Note, Output, Policy, Settings, Timer};

const LONG: Activity = Activity::Running(ms_const(5));

const fn ms_const(n: u64) -> std::time::Duration {
    std::time::Duration::from_millis(n)
}

fn stealing(workers: u32) -> Settings {
    Settings { steal_after: Some(ms(2)), ..settings(workers) }
}

/// A client that connects: where its connection went.
fn connect(sim: &mut Sim, balancer: BalancerId) -> (ConnId, LaneId) {
    sim.connect(balancer);
    let last = sim.conns.iter().next_back();
    match last {
        Some((conn, Fate::InLane(lane))) => (*conn, *lane),
        other => panic!("it is in no lane: {other:?}"),
    }
}

/// The first worker is in the midst of something, and one connection waits for it.
fn one_behind(workers: u32, policy: Policy) -> (Sim, BalancerId, Vec<LaneId>, ConnId) {
    let (mut sim, balancer, lanes) = Sim::serving(Settings { policy, ..stealing(workers) });
    for lane in &lanes {
        connect(&mut sim, balancer);
        sim.take(*lane);
    }
    sim.show(0, LONG);
    let (conn, lane) = connect(&mut sim, balancer);
    assert_eq!(lane, lanes[0]);
    (sim, balancer, lanes, conn)
}

#[test]
fn what_waits_behind_a_busy_worker_goes_to_one_that_waits() {
    let (mut sim, _, lanes, conn) = one_behind(2, Policy::RoundRobin);
    sim.take_orders();
    sim.advance(ms(1));
    assert_eq!(sim.take_orders(), [], "it may yet take it");
    sim.advance(ms(1));
    assert_eq!(
        sim.take_orders(),
        [
            Output::Glance { lane: lanes[0] },
            Output::Glance { lane: lanes[1] },
            Output::TakeBack { lane: lanes[0] },
            Output::Watch { lane: lanes[0] },
            Output::Dispatch { conn, lane: lanes[1] },
            // There is room for more records, which is told at once and means nothing.
            Output::Watch { lane: lanes[0] },
        ]
    );
    assert_eq!(sim.lanes[&lanes[0]].queue, [Record::Void]);
    assert_eq!(sim.take(lanes[1]), Some(Record::Conn(conn)));
}

#[test]
fn nobody_is_passed_over_while_all_keep_up_and_nothing_is_waited_for_when_nothing_waits() {
    let (mut sim, balancer, lanes) = Sim::serving(stealing(3));
    for turn in 0..60 {
        let (_, lane) = connect(&mut sim, balancer);
        assert_eq!(lane, lanes[turn % 3]);
        // It runs, but not for long.
        sim.show(turn % 3, Activity::Running(ms(1)));
        sim.take(lane);
        sim.advance(ms(1));
        sim.show(turn % 3, Activity::Waiting);
    }
    sim.advance(ms(2));
    assert_ne!(sim.pool.next_timer().map(|(_, timer)| timer), Some(Timer::Glance));
    let glances = |sim: &mut Sim| {
        sim.take_orders().into_iter().filter(|order| matches!(order, Output::Glance { .. })).count()
    };
    assert!(glances(&mut sim) <= 60);
    sim.advance(ms(10_000));
    assert_eq!(glances(&mut sim), 0);
}

#[test]
fn a_busy_worker_gets_nothing_more_before_it_has_time() {
    let (mut sim, balancer, lanes, conn) = one_behind(3, Policy::RoundRobin);
    sim.advance(ms(2));
    assert_eq!(sim.conns[&conn], Fate::InLane(lanes[1]));
    sim.take(lanes[1]);
    for lane in [lanes[2], lanes[1], lanes[2], lanes[1]] {
        assert_eq!(connect(&mut sim, balancer).1, lane);
        sim.take(lane);
        sim.advance(ms(3));
    }
    // It takes the void record, and is the least recently connected.
    assert_eq!(sim.take(lanes[0]), Some(Record::Void));
    assert_eq!(connect(&mut sim, balancer).1, lanes[0]);
    assert!(matches!(sim.take(lanes[0]), Some(Record::Conn(_))));
}

#[test]
fn two_that_wait_go_together() {
    let (mut sim, balancer, lanes) = Sim::serving(stealing(2));
    (0..4).for_each(|_| sim.connect(balancer));
    assert_eq!((sim.lanes[&lanes[0]].queue.len(), sim.lanes[&lanes[1]].queue.len()), (2, 2));
    sim.show(0, LONG);
    while sim.take(lanes[1]).is_some() {}
    sim.advance(ms(2));
    assert_eq!(sim.lanes[&lanes[0]].queue, [Record::Void]);
    assert_eq!(sim.lanes[&lanes[1]].queue.len(), 2);
}

#[test]
fn one_that_took_something_is_not_passed_over() {
    let (mut sim, balancer, lanes, _) = one_behind(2, Policy::RoundRobin);
    sim.show(1, Activity::Running(ms(1)));
    sim.advance(ms(2));
    // Nobody had time for what waited, and the first worker has now taken it.
    assert!(matches!(sim.take(lanes[0]), Some(Record::Conn(_))));
    sim.advance(ms(1));
    assert_eq!(connect(&mut sim, balancer).1, lanes[1]);
    sim.input(Input::Measured { lane: lanes[0], waiting: 0 });
    assert_eq!(connect(&mut sim, balancer).1, lanes[0]);
}

#[test]
fn where_all_take_long_everything_stays_where_it_is() {
    let (mut sim, balancer, lanes, _) = one_behind(2, Policy::RoundRobin);
    sim.show(1, LONG);
    let (_, lane) = connect(&mut sim, balancer);
    assert_eq!(lane, lanes[1]);
    sim.take_orders();
    sim.advance(ms(19));
    let glances = sim.take_orders();
    let moved = |order: &Output| matches!(order, Output::TakeBack { .. } | Output::Dispatch { .. });
    assert!(!glances.iter().any(moved), "{glances:?}");
    let count = glances.iter().filter(|order| matches!(order, Output::Glance { .. })).count();
    assert!(count <= 2 * 20 / 2, "{count}");
    // One is done.
    sim.show(1, Activity::Waiting);
    sim.take(lanes[1]);
    sim.advance(ms(4));
    assert_eq!(sim.lanes[&lanes[0]].queue, [Record::Void]);
}

#[test]
fn a_source_keeps_its_worker_and_the_least_connected_does_not() {
    let (mut sim, balancer, lanes) = Sim::serving(Settings { policy: Policy::SourceHash, ..stealing(2) });
    let (conn, lane) = connect(&mut sim, balancer);
    sim.show(lanes.iter().position(|other| *other == lane).unwrap(), LONG);
    sim.take_orders();
    sim.advance(ms(100));
    assert_eq!(sim.conns[&conn], Fate::InLane(lane));
    assert!(!sim.take_orders().contains(&Output::Glance { lane }));

    let (mut sim, _, lanes, conn) = one_behind(2, Policy::LeastConnections);
    sim.advance(ms(2));
    assert_eq!(sim.conns[&conn], Fate::InLane(lanes[1]));
}

#[test]
fn without_the_setting_or_a_second_lane_nobody_is_glanced_at() {
    for settings in [settings(2), stealing(1)] {
        let (mut sim, balancer, _) = Sim::serving(settings);
        sim.show(0, LONG);
        (0..2).for_each(|_| sim.connect(balancer));
        sim.advance(ms(500));
        let glanced = |order: &Output| matches!(order, Output::Glance { .. } | Output::TakeBack { .. });
        assert!(!sim.take_orders().iter().any(glanced));
    }
}

#[test]
fn who_cannot_be_seen_is_left_alone_for_a_second() {
    let (mut sim, _, lanes, conn) = one_behind(2, Policy::RoundRobin);
    sim.show(0, Activity::Unknown);
    sim.take_orders();
    sim.advance(ms(990));
    let glances = sim.take_orders().into_iter().filter(|order| *order == Output::Glance { lane: lanes[0] });
    assert_eq!(glances.count(), 1);
    assert_eq!(sim.conns[&conn], Fate::InLane(lanes[0]));
}

#[test]
fn a_worker_that_hangs_is_found_out_although_nothing_is_left_waiting_for_it() {
    let (mut sim, balancer, lanes, _) = one_behind(3, Policy::RoundRobin);
    sim.advance(ms(2));
    assert_eq!(sim.lanes[&lanes[0]].queue, [Record::Void]);
    sim.take(lanes[1]);
    for second in 1..=40u64 {
        sim.advance(ms(1_000));
        sim.look(&[(0, second * 1_000)]);
        let (_, lane) = connect(&mut sim, balancer);
        assert_ne!(lane, lanes[0]);
        sim.take(lane);
    }
    assert!(sim.notes.iter().any(|note| matches!(note, Note::Hung { worker, .. } if worker.slot == 0)));
    let out =
        |change: &Change| matches!(change, Change::Suspect { suspect: true, worker } if worker.slot == 0);
    assert!(sim.changes.iter().any(out));
}

#[test]
fn a_worker_that_dies_leaves_nothing_stalled() {
    let (mut sim, balancer, lanes, conn) = one_behind(3, Policy::RoundRobin);
    sim.show(1, LONG);
    sim.show(2, LONG);
    sim.advance(ms(2));
    assert_eq!(sim.conns[&conn], Fate::InLane(lanes[0]));
    sim.exit(0);
    assert_eq!(sim.conns[&conn], Fate::InLane(lanes[1]));
    sim.show(1, Activity::Waiting);
    sim.show(2, Activity::Waiting);
    sim.take(lanes[1]);
    sim.advance(ms(4));
    // The window is as it was: two may wait for each.
    let two: Vec<_> = (0..4).map(|_| connect(&mut sim, balancer).1).collect();
    assert_eq!(two.iter().filter(|lane| **lane == lanes[1]).count(), 2);
}

//! Lanes from which nothing is taken: when they are suspects, how many may be, and how they come back.

use crate::ids::{BalancerId, LaneId};
use crate::pool::tests::sim::{Record, Sim, ms, settings, with};
use crate::pool::{LaneStatus, Note, Output};
use std::time::Duration;

/// Keeps the lanes busy for so long, taking from all but the stuck ones.
fn busy(sim: &mut Sim, balancer: BalancerId, stuck: &[LaneId], time: Duration) {
    let end = sim.now + time;
    while sim.now < end {
        sim.connect(balancer);
        let free: Vec<_> = sim.lanes.keys().copied().filter(|lane| !stuck.contains(lane)).collect();
        for lane in free {
            while sim.take(lane).is_some() {}
        }
        sim.advance(ms(10));
    }
}

fn status(sim: &Sim, lane: LaneId) -> LaneStatus {
    sim.pool.lane(lane).expect("open").status()
}

#[test]
fn a_stuck_lane_becomes_a_suspect_at_the_limit_and_its_connections_are_served_elsewhere() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    let stuck = lanes[0];
    let begin = sim.now;
    sim.connect(balancer);
    let orphan = sim.lanes[&stuck].queue[0];
    busy(&mut sim, balancer, &[stuck], ms(990));
    assert_ne!(status(&sim, stuck), LaneStatus::Suspect);
    let worker = sim.worker(0);
    sim.take_notes();
    sim.take_orders();
    while sim.notes.is_empty() {
        assert!(sim.step());
    }
    assert_eq!(sim.now - begin, ms(1_000));
    assert_eq!(sim.take_notes(), [Note::Suspect { worker, balancer, waited: ms(1_000) }]);
    let orders = sim.take_orders();
    let taken_back = orders.iter().position(|order| *order == Output::Vacate { lane: stuck });
    let watched = orders.iter().position(|order| *order == Output::Watch { lane: stuck });
    assert!(taken_back < watched, "{orders:?}");
    assert_eq!(sim.lanes[&stuck].queue, [Record::Void]);
    assert!(sim.lanes[&lanes[1]].queue.contains(&orphan));
    sim.take_orders();
    busy(&mut sim, balancer, &[stuck], ms(500));
    let orders = sim.take_orders();
    assert!(!orders.iter().any(|order| matches!(order, Output::Dispatch { lane, .. } if *lane == stuck)));
}

#[test]
fn a_suspect_that_takes_the_void_record_comes_back_and_waits_its_turn() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    sim.connect(balancer);
    busy(&mut sim, balancer, &[lanes[0]], ms(1_500));
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Suspect);
    let worker = sim.worker(0);
    sim.take_notes();
    assert_eq!(sim.take(lanes[0]), Some(Record::Void));
    assert_eq!(sim.take_notes(), [Note::Recovered { worker, balancer }]);
    let balancer = sim.pool.balancer(balancer).expect("open");
    assert_eq!(balancer.rotation().collect::<Vec<_>>(), [lanes[1], lanes[0]]);
}

#[test]
fn a_suspect_is_looked_at_every_second_and_comes_back_by_that_too() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    sim.connect(balancer);
    sim.advance(ms(1_000));
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Suspect);
    while sim.take(lanes[1]).is_some() {}
    sim.advance(ms(40));
    sim.take_orders();
    sim.advance(ms(5_000));
    assert_eq!(sim.take_orders(), vec![Output::Look { lane: lanes[0] }; 5]);
    sim.lanes.get_mut(&lanes[0]).expect("open").queue.clear();
    sim.advance(ms(1_000));
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Ready);
}

#[test]
fn no_more_than_half_of_the_lanes_are_suspects() {
    for (workers, most) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)] {
        let (mut sim, balancer, lanes) = Sim::serving(settings(workers));
        for _ in 0..workers {
            sim.connect(balancer);
        }
        sim.advance(ms(20_000));
        let suspects = lanes.iter().filter(|lane| status(&sim, **lane) == LaneStatus::Suspect).count();
        assert_eq!(suspects, most, "of {workers}");
    }
}

#[test]
fn when_a_suspect_recovers_another_stuck_lane_may_be_one() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    sim.connect(balancer);
    sim.connect(balancer);
    // While both take nothing it is neither's fault, for a time.
    sim.advance(ms(9_900));
    assert!(lanes.iter().all(|lane| status(&sim, *lane) != LaneStatus::Suspect));
    sim.advance(ms(2_000));
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Suspect);
    assert_ne!(status(&sim, lanes[1]), LaneStatus::Suspect);
    sim.take(lanes[0]);
    sim.advance(ms(1_000));
    assert_eq!(status(&sim, lanes[1]), LaneStatus::Suspect);
}

#[test]
fn a_slow_lane_that_moves_is_no_suspect() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    for _ in 0..20 {
        for _ in 0..4 {
            sim.connect(balancer);
        }
        sim.advance(ms(900));
        sim.take(lanes[0]);
        sim.take(lanes[1]);
    }
    assert!(sim.notes.iter().all(|note| !matches!(note, Note::Suspect { .. })), "{:?}", sim.notes);
}

#[test]
fn a_lane_that_took_nothing_of_a_small_buffer_is_a_suspect_in_time() {
    let (mut sim, balancer, lanes) = Sim::serving(with(settings(2), |s| s.balancing.window = Some(3)));
    sim.capacity = 1;
    busy(&mut sim, balancer, &[], ms(200));
    busy(&mut sim, balancer, &[lanes[0]], ms(1_100));
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Suspect);
}

#[test]
fn a_supervisor_that_was_not_running_itself_blames_nobody() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    sim.connect(balancer);
    sim.jump(ms(60_000));
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Ready);
    // It counts from there.
    sim.advance(ms(999));
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Ready);
    sim.advance(ms(1));
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Suspect);
}

#[test]
fn without_a_limit_there_are_no_suspects() {
    let (mut sim, balancer, lanes) = Sim::serving(with(settings(2), |s| s.health.lag_limit = None));
    sim.connect(balancer);
    sim.advance(ms(100_000));
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Ready);
}

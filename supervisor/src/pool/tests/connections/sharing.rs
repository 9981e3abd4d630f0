//! Lanes that several processes share: who gets one of its own, and what becomes of the shared one.

use crate::ids::LaneId;
use crate::pool::tests::sim::{Record, Sim, ms, settings, with};
use crate::pool::{Finding, LaneStatus, Output, WorkerCommand};

fn status(sim: &Sim, lane: LaneId) -> LaneStatus {
    sim.pool.lane(lane).expect("open").status()
}

#[test]
fn each_gets_its_turn_and_what_waited_goes_to_those_who_have_their_own() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(1));
    sim.connect(balancer);
    let first = sim.share(lanes[0]);
    assert!(matches!(sim.lanes[&first].queue[0], Record::Conn(_)));
    let second = sim.share(lanes[0]);
    assert_eq!(sim.lanes[&lanes[0]].queue, [Record::Void]);
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Left);
    sim.take(first);
    for _ in 0..4 {
        sim.connect(balancer);
    }
    assert_eq!((sim.lanes[&first].queue.len(), sim.lanes[&second].queue.len()), (2, 2));
    assert_eq!(sim.lanes[&lanes[0]].queue, [Record::Void]);
}

#[test]
fn a_parent_that_takes_the_void_record_serves_too() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(1));
    let own = sim.share(lanes[0]);
    sim.advance(ms(60_000));
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Left);
    assert_eq!(sim.take(lanes[0]), Some(Record::Void));
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Ready);
    sim.connect(balancer);
    sim.connect(balancer);
    assert_eq!((sim.lanes[&own].queue.len(), sim.lanes[&lanes[0]].queue.len()), (1, 1));
    // Another that gets its own leaves it once more.
    sim.share(lanes[0]);
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Left);
}

#[test]
fn who_took_the_void_record_and_then_gets_its_own_leaves_another() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(1));
    let first = sim.share(lanes[0]);
    // It asks before the supervisor has seen that the record was taken.
    sim.lanes.get_mut(&lanes[0]).expect("open").queue.clear();
    let second = sim.share(lanes[0]);
    assert_eq!(sim.lanes[&lanes[0]].queue, [Record::Void]);
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Left);
    for _ in 0..2 {
        sim.connect(balancer);
    }
    assert_eq!((sim.lanes[&first].queue.len(), sim.lanes[&second].queue.len()), (1, 1));
}

#[test]
fn what_it_took_from_the_shared_lane_was_its_turn() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    sim.connect(balancer);
    sim.take(lanes[0]);
    let own = sim.share(lanes[0]);
    sim.connect(balancer);
    assert_eq!((sim.lanes[&own].queue.len(), sim.lanes[&lanes[1]].queue.len()), (0, 1));
}

#[test]
fn when_all_who_had_their_own_are_gone_the_next_finds_what_waits_in_the_shared_one() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(1));
    let own = sim.share(lanes[0]);
    sim.connect(balancer);
    sim.lanes.get_mut(&own).expect("open").held = false;
    sim.advance(ms(2_000));
    assert!(sim.pool.lane(own).is_none());
    assert_ne!(status(&sim, lanes[0]), LaneStatus::Left);
    let queue = &sim.lanes[&lanes[0]].queue;
    assert!(queue[0] == Record::Void && matches!(queue[1], Record::Conn(_)), "{queue:?}");
}

#[test]
fn one_of_several_that_hangs_is_out_alone_and_the_worker_does_not_hang() {
    let settings = with(settings(2), |s| s.health.hang_limit = Some(Some(ms(5_000))));
    let (mut sim, balancer, lanes) = Sim::serving(settings);
    sim.finding = Finding::Starved;
    let (stuck, well) = (sim.share(lanes[0]), sim.share(lanes[0]));
    for _ in 0..2_000 {
        sim.connect(balancer);
        for lane in [well, lanes[1]] {
            while sim.take(lane).is_some() {}
        }
        sim.advance(ms(10));
    }
    assert_eq!((status(&sim, stuck), status(&sim, well)), (LaneStatus::Suspect, LaneStatus::Ready));
    let orders = sim.take_orders();
    assert!(!orders.iter().any(|order| matches!(order, Output::Examine { .. })), "{orders:?}");
}

#[test]
fn a_left_lane_gets_nothing_when_its_worker_is_cordoned_and_comes_back() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    let own = sim.share(lanes[0]);
    sim.command(0, WorkerCommand::Cordon);
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Cordoned);
    sim.command(0, WorkerCommand::Uncordon);
    assert_eq!((status(&sim, lanes[0]), status(&sim, own)), (LaneStatus::Left, LaneStatus::Ready));
    for _ in 0..4 {
        sim.connect(balancer);
    }
    assert_eq!(sim.lanes[&lanes[0]].queue, [Record::Void]);
}

#[test]
fn nothing_is_left_to_a_lane_that_is_no_more() {
    let (mut sim, _, lanes) = Sim::serving(settings(1));
    let own = sim.share(lanes[0]);
    sim.input(crate::pool::Input::LaneClosed { lane: own });
    sim.input(crate::pool::Input::LaneShared { from: lanes[0], to: own });
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Ready);
}

/// The first of two that have their own takes nothing for this many steps of 10 ms, the other takes all.
#[test]
fn a_lane_is_not_left_to_one_that_is_left_itself() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(1));
    let own = sim.share(lanes[0]);
    sim.input(crate::pool::Input::LaneShared { from: own, to: lanes[0] });
    assert_eq!((status(&sim, lanes[0]), status(&sim, own)), (LaneStatus::Left, LaneStatus::Ready));
    sim.connect(balancer);
    assert_eq!(sim.lanes[&own].queue.len(), 1);
}

fn one_stuck(sim: &mut Sim, balancer: crate::ids::BalancerId, well: LaneId, steps: u32) {
    for _ in 0..steps {
        sim.connect(balancer);
        while sim.take(well).is_some() {}
        sim.advance(ms(10));
    }
}

#[test]
fn one_of_several_that_hangs_is_ended_and_nobody_else() {
    // By the limit that nobody chose, 30 s, who is blocked does not hang.
    for (chosen, steps, finding, ends) in [
        (None, 3_000, Finding::Lock, true),
        (None, 3_000, Finding::Blocked, false),
        (Some(Some(ms(5_000))), 500, Finding::Blocked, true),
        (Some(Some(ms(5_000))), 500, Finding::Starved, false),
        (Some(Some(ms(5_000))), 500, Finding::Traced, false),
    ] {
        let settings = with(settings(1), |s| s.health.hang_limit = chosen);
        let (mut sim, balancer, lanes) = Sim::serving(settings);
        sim.finding = finding;
        let (stuck, well) = (sim.share(lanes[0]), sim.share(lanes[0]));
        one_stuck(&mut sim, balancer, well, steps - 10);
        assert!(!sim.take_orders().contains(&Output::EndHolder { lane: stuck }), "not before the limit");
        one_stuck(&mut sim, balancer, well, 300);
        let orders = sim.take_orders();
        let count = orders.iter().filter(|order| **order == Output::EndHolder { lane: stuck }).count();
        assert_eq!(count, usize::from(ends), "{finding:?}");
        assert!(!orders.iter().any(|order| matches!(order, Output::Examine { .. } | Output::Signal { .. })));
        assert_eq!(sim.pool.lane(stuck).is_none(), ends);
        assert!(sim.slot(0).is_running());
    }
}

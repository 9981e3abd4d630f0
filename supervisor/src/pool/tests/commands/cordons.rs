//! Workers that are to get no connections because somebody said so.

use crate::ids::LaneId;
use crate::pool::tests::sim::{Fate, Sim, ms, settings, with};
use crate::pool::{Change, Input, LaneStatus, Note, Output, WorkerCommand};

fn status(sim: &Sim, lane: LaneId) -> LaneStatus {
    sim.pool.lane(lane).expect("open").status()
}

fn rotation(sim: &Sim) -> Vec<LaneId> {
    sim.pool.balancers().flat_map(|balancer| balancer.rotation()).collect()
}

#[test]
fn a_cordoned_worker_leaves_every_rotation_and_comes_back_at_the_end() {
    let (mut sim, one, lanes) = Sim::serving(settings(3));
    let two = sim.open();
    let other = sim.listen(0, two);
    sim.connect(one);
    sim.take(lanes[0]);
    sim.take_changes();
    sim.command(1, WorkerCommand::Cordon);
    assert_eq!(rotation(&sim), [lanes[2], lanes[0], other]);
    sim.command(0, WorkerCommand::Cordon);
    assert_eq!(rotation(&sim), [lanes[2]]);
    assert_eq!(status(&sim, lanes[1]), LaneStatus::Cordoned);
    sim.connect(one);
    sim.command(1, WorkerCommand::Uncordon);
    sim.command(1, WorkerCommand::Uncordon);
    assert_eq!(rotation(&sim), [lanes[2], lanes[1]], "though it has waited longer");
    let cordon = |slot, cordoned| Change::Cordon { worker: sim.worker(slot), cordoned };
    assert_eq!(sim.changes, [cordon(1, true), cordon(0, true), cordon(1, false)]);
    assert_eq!(sim.pool.count_running_workers(), 3, "it is as alive as any");
}

#[test]
fn what_waits_for_it_goes_to_others() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    (0..3).for_each(|_| sim.connect(balancer));
    sim.take_orders();
    sim.take(lanes[1]);
    sim.command(0, WorkerCommand::Cordon);
    assert_eq!(sim.take_orders()[0], Output::TakeBack { lane: lanes[0] });
    let waiting = sim.conns.values().filter(|fate| **fate == Fate::InLane(lanes[1])).count();
    assert_eq!((waiting, sim.pool.held()), (2, 0));
}

#[test]
fn what_waits_for_it_stays_where_there_are_no_others() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    // Two lanes of one worker are not each other's others.
    let second = sim.listen(0, balancer);
    sim.exit(1);
    (0..2).for_each(|_| sim.connect(balancer));
    sim.take_orders();
    sim.command(0, WorkerCommand::Cordon);
    assert_eq!(sim.take_orders(), []);
    assert_eq!((sim.lanes[&lanes[0]].queue.len(), sim.lanes[&second].queue.len()), (1, 1));
    sim.connect(balancer);
    assert_eq!(sim.queued(balancer), 1);
    sim.command(0, WorkerCommand::Uncordon);
    assert_eq!(sim.queued(balancer), 0);
}

#[test]
fn an_empty_lane_is_not_emptied() {
    let (mut sim, _, lanes) = Sim::serving(settings(2));
    sim.command(0, WorkerCommand::Cordon);
    assert_eq!(sim.take_orders(), []);
    assert!(sim.lanes[&lanes[0]].queue.is_empty());
}

#[test]
fn it_stays_cordoned_whatever_processes_come_and_go() {
    let (mut sim, balancer, _) = Sim::serving(settings(2));
    sim.command(0, WorkerCommand::Cordon);
    sim.exit(0);
    sim.advance(ms(200));
    let lane = sim.listen(0, balancer);
    assert_eq!(status(&sim, lane), LaneStatus::Cordoned);
    sim.command(0, WorkerCommand::Restart);
    let lane = sim.listen(0, balancer);
    assert_eq!(status(&sim, lane), LaneStatus::Cordoned);
    sim.command(0, WorkerCommand::Uncordon);
    assert_eq!(status(&sim, lane), LaneStatus::Ready);
    sim.command(0, WorkerCommand::Stop);
    sim.command(0, WorkerCommand::Cordon);
    assert!(sim.slot(0).is_cordoned(), "one that is down can be cordoned too");
}

#[test]
fn a_slot_that_is_scaled_away_takes_its_cordon_along() {
    let (mut sim, balancer, _) = Sim::serving(settings(2));
    sim.polite = false;
    sim.command(1, WorkerCommand::Cordon);
    sim.input(Input::Scale { workers: 1 });
    sim.input(Input::Scale { workers: 2 });
    sim.exit(1);
    let lane = sim.listen(1, balancer);
    assert_eq!(status(&sim, lane), LaneStatus::Ready);
    assert!(sim.changes.contains(&Change::Cordon {
        worker: crate::ids::WorkerId { slot: 1, incarnation: 1 },
        cordoned: false
    }));
}

#[test]
fn a_worker_can_be_cordoned_before_the_cluster_starts() {
    let mut sim = Sim::new(settings(2));
    sim.command(0, WorkerCommand::Cordon);
    sim.input(Input::Start);
    let balancer = sim.open();
    let lanes = [sim.listen(0, balancer), sim.listen(1, balancer)];
    assert_eq!(rotation(&sim), [lanes[1]]);
}

#[test]
fn a_full_lane_comes_back_only_when_it_has_room() {
    let (mut sim, balancer, lanes) = Sim::serving(with(settings(1), |s| s.health.lag_limit = None));
    (0..3).for_each(|_| sim.connect(balancer));
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Full);
    sim.command(0, WorkerCommand::Cordon);
    sim.command(0, WorkerCommand::Uncordon);
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Full);
    sim.command(0, WorkerCommand::Cordon);
    sim.take(lanes[0]);
    sim.take(lanes[0]);
    assert_eq!(sim.pool.held(), 1, "it has room, but it is cordoned");
    sim.command(0, WorkerCommand::Uncordon);
    assert_eq!(sim.pool.held(), 0);
}

#[test]
fn a_full_lane_that_was_emptied_has_room() {
    let (mut sim, balancer, lanes) = Sim::serving(with(settings(2), |s| s.health.lag_limit = None));
    (0..5).for_each(|_| sim.connect(balancer));
    sim.take(lanes[1]);
    assert_eq!((status(&sim, lanes[0]), sim.pool.held()), (LaneStatus::Full, 0));
    sim.take(lanes[1]);
    sim.command(0, WorkerCommand::Cordon);
    assert_eq!(sim.pool.held(), 1, "the other took what it could");
    sim.command(0, WorkerCommand::Uncordon);
    assert_eq!(sim.pool.held(), 0);
}

#[test]
fn a_suspect_stays_one_behind_its_cordon() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    sim.connect(balancer);
    sim.advance(ms(1_000));
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Suspect);
    sim.take_orders();
    sim.command(0, WorkerCommand::Cordon);
    assert_eq!(sim.take_orders(), [], "what waited was taken back already");
    sim.command(0, WorkerCommand::Uncordon);
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Suspect);
    sim.command(0, WorkerCommand::Cordon);
    sim.take_notes();
    sim.take(lanes[0]);
    assert_eq!(sim.take_notes(), [], "it takes again, but gets nothing");
    sim.command(0, WorkerCommand::Uncordon);
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Ready);
}

#[test]
fn what_is_stuck_behind_a_cordon_is_given_to_others_when_there_are_some() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    sim.exit(1);
    sim.connect(balancer);
    sim.command(0, WorkerCommand::Cordon);
    sim.advance(ms(200));
    sim.advance(ms(3_000));
    assert_eq!(sim.lanes[&lanes[0]].queue.len(), 1);
    let lane = sim.listen(1, balancer);
    sim.advance(ms(2_000));
    assert_eq!(sim.lanes[&lane].queue.len(), 1);
    assert!(sim.notes.iter().any(|note| matches!(note, Note::Suspect { .. })));
}

#[test]
fn the_rest_is_not_made_smaller_by_suspicion() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(3));
    sim.command(2, WorkerCommand::Cordon);
    sim.command(1, WorkerCommand::Cordon);
    sim.connect(balancer);
    sim.advance(ms(20_000));
    assert_ne!(status(&sim, lanes[0]), LaneStatus::Suspect, "it is the only one in rotation");
}

//! Workers that lag: when they are suspects, how many may be, and how they come back.

use crate::ids::LaneId;
use crate::pool::tests::sim::{Record, Sim, ms, settings, with};
use crate::pool::{Change, Input, LaneStatus, Note, Output, WorkerCommand};

fn status(sim: &Sim, lane: LaneId) -> LaneStatus {
    sim.pool.lane(lane).expect("open").status()
}

fn rotation(sim: &Sim) -> Vec<LaneId> {
    sim.pool.balancers().flat_map(|balancer| balancer.rotation()).collect()
}

/// So many looks at the same lags, a fifth of the limit apart.
fn looks(sim: &mut Sim, count: u32, lags: &[(usize, u64)]) {
    for _ in 0..count {
        sim.advance(ms(200));
        sim.look(lags);
    }
}

fn suspects(sim: &Sim) -> Vec<u32> {
    let ids = sim.pool.workers().map(|worker| worker.id());
    ids.filter(|id| sim.pool.is_suspect(*id)).map(|id| id.slot).collect()
}

#[test]
fn a_lag_at_the_limit_takes_a_worker_out_and_what_waits_for_it_goes_to_others_at_once() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    let other = sim.listen(1, balancer);
    let second = sim.open();
    let (own, others) = (sim.listen(0, second), sim.listen(1, second));
    (0..2).for_each(|_| sim.connect(balancer));
    let orphan = sim.lanes[&lanes[0]].queue[0];
    let worker = sim.worker(0);
    sim.take_orders();
    sim.take_notes();
    sim.take_changes();
    sim.look(&[(0, 999)]);
    assert_eq!((sim.take_orders(), rotation(&sim).len()), (vec![], 5));
    sim.advance(ms(10));
    sim.take_orders();
    sim.look(&[(0, 1_000)]);
    assert_eq!(sim.take_orders()[0], Output::TakeBack { lane: lanes[0] });
    assert!(rotation(&sim).iter().all(|lane| [lanes[1], other, others].contains(lane)));
    assert_eq!((status(&sim, lanes[0]), status(&sim, own)), (LaneStatus::Suspect, LaneStatus::Suspect));
    assert!(sim.lanes[&other].queue.contains(&orphan), "{:?}", sim.lanes);
    assert_eq!(sim.lanes[&lanes[0]].queue, [Record::Void]);
    assert_eq!(sim.take_notes(), [Note::Lagging { worker, lag: ms(1_000) }]);
    assert_eq!(sim.take_changes(), [Change::Suspect { worker, suspect: true }]);
    assert_eq!(sim.pool.suspect_since(worker), Some(sim.now));
    // It is told of once, however long it lasts.
    sim.look(&[(0, 1_200)]);
    assert_eq!((sim.take_notes(), sim.take_changes()), (vec![], vec![]));
}

#[test]
fn two_good_looks_in_a_row_bring_it_back_at_the_end() {
    let (mut sim, _, lanes) = Sim::serving(settings(3));
    let worker = sim.worker(0);
    looks(&mut sim, 1, &[(0, 1_000)]);
    looks(&mut sim, 1, &[(0, 0)]);
    looks(&mut sim, 1, &[(0, 1_000)]);
    looks(&mut sim, 1, &[(0, 0)]);
    // The same look told twice is one look.
    sim.look(&[(0, 0)]);
    assert_eq!(rotation(&sim), [lanes[1], lanes[2]]);
    sim.take_notes();
    sim.take_changes();
    looks(&mut sim, 1, &[(0, 999)]);
    assert_eq!(rotation(&sim), [lanes[1], lanes[2], lanes[0]]);
    assert_eq!(sim.take_notes(), [Note::CaughtUp { worker, after: ms(800) }]);
    assert_eq!(sim.take_changes(), [Change::Suspect { worker, suspect: false }]);
    assert!(!sim.pool.is_suspect(worker));
}

#[test]
fn no_more_than_half_of_the_workers_are_out() {
    for (workers, most) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)] {
        let (mut sim, _, _) = Sim::serving(settings(workers));
        let all: Vec<_> = (0..workers as usize).map(|slot| (slot, 15_000)).collect();
        looks(&mut sim, 10, &all);
        assert_eq!(suspects(&sim).len(), most, "of {workers}");
    }
}

#[test]
fn where_most_lag_nobody_is_taken_out_for_a_time() {
    let (mut sim, _, _) = Sim::serving(settings(4));
    // They began one after the other, so that the limit is reached by one at a time.
    for lag in (200..6_000).step_by(200) {
        looks(&mut sim, 1, &[(0, lag + 300), (1, lag + 200), (2, lag)]);
        assert!(suspects(&sim).is_empty(), "{lag}");
    }
    // Who goes on for as long as this is of no use, whatever the others do.
    looks(&mut sim, 1, &[(0, 10_000), (1, 9_900), (2, 9_700)]);
    assert_eq!(suspects(&sim), [0]);
}

#[test]
fn who_has_caught_up_is_not_counted_among_those_that_lag() {
    let (mut sim, _, _) = Sim::serving(settings(4));
    looks(&mut sim, 1, &[(0, 900), (1, 800), (2, 800)]);
    assert!(sim.pool.is_in_question(sim.now, sim.worker(2)), "it is to be told of once more");
    looks(&mut sim, 1, &[(0, 1_100), (1, 1_000), (2, 1_000)]);
    assert!(suspects(&sim).is_empty());
    looks(&mut sim, 1, &[(2, 0), (0, 1_300), (1, 1_200)]);
    assert!(!sim.pool.is_in_question(sim.now, sim.worker(2)));
    assert_eq!(suspects(&sim), [0, 1]);
}

#[test]
fn one_is_out_for_good_where_others_lag_later() {
    let (mut sim, _, _) = Sim::serving(settings(4));
    looks(&mut sim, 1, &[(0, 1_000)]);
    looks(&mut sim, 5, &[(0, 2_000), (1, 2_000), (2, 2_000)]);
    assert_eq!(suspects(&sim), [0, 1]);
}

#[test]
fn a_stuck_lane_and_a_lag_count_together() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(4));
    sim.connect(balancer);
    sim.advance(ms(1_000));
    assert_eq!(suspects(&sim), [0]);
    looks(&mut sim, 1, &[(1, 1_000), (2, 1_000)]);
    assert_eq!(suspects(&sim), [0, 1]);
    // One that is out for its lag already is as stuck as it likes; a third is not.
    (0..2).for_each(|_| sim.connect(balancer));
    sim.advance(ms(2_000));
    assert_eq!(suspects(&sim), [0, 1]);
    assert_ne!(status(&sim, lanes[2]), LaneStatus::Suspect);
}

#[test]
fn who_alone_serves_an_address_stays_in() {
    let (mut sim, _, _) = Sim::serving(settings(3));
    let lonely = sim.open();
    let lane = sim.listen(0, lonely);
    looks(&mut sim, 5, &[(0, 3_000)]);
    assert_eq!(status(&sim, lane), LaneStatus::Ready);
    sim.listen(1, lonely);
    looks(&mut sim, 1, &[(0, 3_000)]);
    assert_eq!(suspects(&sim), [0]);
}

#[test]
fn nobody_is_judged_while_starting_or_stopping_or_cordoned_or_without_a_lane() {
    let (mut sim, _, _) = Sim::serving(settings(4));
    sim.exit(0);
    sim.polite = false;
    sim.command(1, WorkerCommand::Stop);
    sim.command(2, WorkerCommand::Cordon);
    looks(&mut sim, 10, &[(0, 3_000), (1, 3_000), (2, 3_000)]);
    assert!(!sim.slot(0).is_running() && suspects(&sim).is_empty());
    sim.input(Input::Ready { worker: sim.worker(0) });
    looks(&mut sim, 10, &[(0, 3_000)]);
    assert!(sim.slot(0).is_running());
    assert!(suspects(&sim).is_empty());
}

#[test]
fn a_suspect_that_is_cordoned_or_stops_or_dies_is_none() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(4));
    let worker = sim.worker(0);
    looks(&mut sim, 1, &[(0, 3_000)]);
    sim.take_changes();
    sim.command(0, WorkerCommand::Cordon);
    assert_eq!(sim.changes.last(), Some(&Change::Suspect { worker, suspect: false }));
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Cordoned);
    sim.command(0, WorkerCommand::Uncordon);
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Ready);
    looks(&mut sim, 1, &[(0, 3_000)]);
    sim.exit(0);
    assert_eq!(sim.changes.last(), Some(&Change::Suspect { worker, suspect: false }));
    sim.advance(ms(200));
    sim.listen(0, balancer);
    // What was said of the one before is not said of this one.
    sim.input(Input::Lag { worker, lag: ms(3_000) });
    assert!(suspects(&sim).is_empty());
    looks(&mut sim, 1, &[(0, 3_000)]);
    sim.polite = false;
    sim.command(0, WorkerCommand::Restart);
    assert!(suspects(&sim).is_empty());
}

#[test]
fn a_late_look_neither_accuses_nor_acquits() {
    let (mut sim, _, _) = Sim::serving(settings(4));
    looks(&mut sim, 1, &[(0, 1_500)]);
    for _ in 0..5 {
        sim.advance(ms(300));
        sim.input(Input::Late);
        sim.look(&[(0, 0), (1, 9_000)]);
    }
    assert_eq!(suspects(&sim), [0]);
    looks(&mut sim, 2, &[(0, 0), (1, 9_000)]);
    assert_eq!(suspects(&sim), [1]);
}

#[test]
fn without_a_limit_nobody_lags() {
    let (mut sim, _, _) = Sim::serving(with(settings(2), |s| s.health.lag_limit = None));
    looks(&mut sim, 3, &[(0, 100_000)]);
    assert!(suspects(&sim).is_empty());
}

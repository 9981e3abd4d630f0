//! When a worker is ready: by a lane or by its word, not in time, later than it had to be, and no longer.

use crate::ids::LaneId;
use crate::pool::tests::sim::{Sim, ms, settings, with};
use crate::pool::{Input, LaneStatus, Note, Output, Settings, Signal, State};
use crate::settings::Ready;

fn by_word(workers: u32) -> Settings {
    with(settings(workers), |s| s.readiness.ready = Some(Ready::Notify))
}

fn status(sim: &Sim, lane: LaneId) -> LaneStatus {
    sim.pool.lane(lane).expect("open").status()
}

fn is_running(sim: &Sim, slot: usize) -> bool {
    matches!(sim.slot(slot).state(), State::Running { .. })
}

#[test]
fn who_is_not_ready_gets_nothing_though_it_listens() {
    let mut sim = Sim::new(by_word(2));
    sim.input(Input::Start);
    let balancer = sim.open();
    let lanes = [sim.listen(0, balancer), sim.listen(1, balancer)];
    sim.connect(balancer);
    assert!(!is_running(&sim, 0) && sim.lanes[&lanes[0]].queue.is_empty());
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Waiting);
    sim.take_notes();
    let worker = sim.worker(1);
    sim.advance(ms(40));
    sim.input(Input::Ready { worker });
    assert_eq!(sim.take_notes(), [Note::Ready { worker, after: ms(40) }]);
    assert_eq!((status(&sim, lanes[0]), status(&sim, lanes[1])), (LaneStatus::Waiting, LaneStatus::Ready));
    assert_eq!((is_running(&sim, 1), sim.lanes[&lanes[1]].queue.len()), (true, 1));
}

#[test]
fn a_word_counts_where_a_lane_does_too() {
    let mut sim = Sim::new(settings(1));
    sim.input(Input::Start);
    sim.input(Input::Ready { worker: sim.worker(0) });
    assert!(is_running(&sim, 0));
    let balancer = sim.open();
    let lane = sim.listen(0, balancer);
    assert_eq!(status(&sim, lane), LaneStatus::Ready);
}

#[test]
fn who_is_not_ready_in_time_is_killed_and_that_is_an_early_death() {
    let mut sim = Sim::new(with(by_word(1), |s| s.restart.respawn = 1));
    sim.input(Input::Start);
    let balancer = sim.open();
    let lane = sim.listen(0, balancer);
    let worker = sim.worker(0);
    sim.take_notes();
    sim.take_orders();
    sim.advance(ms(29_999));
    assert_eq!(sim.take_notes(), []);
    sim.advance(ms(1));
    let notes = sim.take_notes();
    let [Note::StartFailed { worker: failed, after, retry_in: Some(wait), .. }, ..] = notes[..] else {
        panic!("{notes:?}")
    };
    assert_eq!((failed, after), (worker, ms(30_000)));
    assert!(wait >= ms(80) && wait <= ms(120), "the delay of a first early death: {wait:?}");
    assert!(sim.take_orders().contains(&Output::Signal { worker, signal: Signal::Kill }));
    assert!(sim.retired.contains(&lane));
    assert!(sim.slot(0).last_exit().is_some() && sim.pool.retiring().next().is_none());
    // The second time its budget is spent.
    sim.advance(ms(31_000));
    let last = sim.take_notes();
    let spent = |note: &Note| matches!(note, Note::StartFailed { retry_in: None, .. });
    assert!(last.iter().any(spent), "{last:?}");
    assert!(sim.done.is_some());
}

#[test]
fn a_silent_worker_counts_as_running_only_while_none_has_listened() {
    let mut sim = Sim::new(settings(2));
    sim.input(Input::Start);
    sim.advance(ms(30_000));
    assert!(is_running(&sim, 0) && is_running(&sim, 1));
    let (mut sim, ..) = Sim::serving(settings(2));
    sim.exit(1);
    sim.advance(ms(1_000));
    let worker = sim.worker(1);
    sim.take_notes();
    sim.advance(ms(30_000));
    let notes = sim.take_notes();
    let failed = |note: &Note| matches!(note, Note::StartFailed { worker: failed, .. } if *failed == worker);
    assert!(notes.iter().any(failed), "{notes:?}");
    assert!(is_running(&sim, 0));
}

#[test]
fn who_says_so_may_take_longer_and_never_shorter() {
    let mut sim = Sim::new(by_word(1));
    sim.input(Input::Start);
    let worker = sim.worker(0);
    sim.input(Input::Extended { worker, by: ms(1) });
    sim.advance(ms(29_000));
    assert_eq!(sim.worker(0), worker);
    sim.input(Input::Extended { worker, by: ms(5_000) });
    sim.take_notes();
    sim.advance(ms(4_999));
    assert_eq!(sim.take_notes(), []);
    sim.advance(ms(1));
    assert!(matches!(sim.take_notes()[0], Note::StartFailed { after, .. } if after == ms(34_000)));
}

#[test]
fn who_is_about_to_end_gets_nothing_and_what_waits_goes_to_others() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    (0..2).for_each(|_| sim.connect(balancer));
    let worker = sim.worker(0);
    sim.take_notes();
    sim.input(Input::SaysStopping { worker });
    sim.input(Input::SaysStopping { worker });
    assert_eq!(sim.take_notes(), [Note::SaysStopping { worker }]);
    assert_eq!((status(&sim, lanes[0]), sim.lanes[&lanes[1]].queue.len()), (LaneStatus::Waiting, 2));
    // It thinks better of it; and the next one in the slot has said nothing.
    sim.input(Input::Ready { worker });
    assert_eq!(status(&sim, lanes[0]), LaneStatus::Ready);
    sim.input(Input::SaysStopping { worker });
    sim.exit(0);
    sim.advance(ms(1_000));
    let lane = sim.listen(0, balancer);
    assert_eq!(status(&sim, lane), LaneStatus::Ready);
}

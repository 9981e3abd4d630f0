//! Open credits in virtual time: when many may be taken at once, who rests, and what is given anew.

use super::credit::{accept_all, connect, has_single};
use crate::ids::LaneId;
use crate::pool::tests::sim::{Record, Sim, ms, settings};
use crate::pool::{Input, Output};

#[test]
fn many_may_be_taken_once_no_worker_is_idle() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(2));
    connect(&mut sim, balancer, 2);
    assert!(lanes.iter().all(|lane| has_single(&sim, *lane) && !sim.lanes[lane].open));
    connect(&mut sim, balancer, 6);
    assert!(lanes.iter().all(|lane| sim.lanes[lane].open), "{:?}", sim.lanes);
    assert!(sim.pool.is_hushed(balancer));
    assert_eq!(accept_all(&mut sim, lanes[0]), 8);
    assert!(!sim.pool.is_hushed(balancer), "one has found the queue empty");
    assert_eq!(accept_all(&mut sim, lanes[1]), 0);
    sim.advance(ms(20));
    // And then it goes by turns again.
    sim.connect(balancer);
    assert_eq!(lanes.iter().filter(|lane| has_single(&sim, **lane)).count(), 1);
}

#[test]
fn who_was_behind_a_moment_ago_is_not_told_of_each_connection() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(2));
    connect(&mut sim, balancer, 8);
    assert_eq!(accept_all(&mut sim, lanes[0]), 8);
    assert_eq!(accept_all(&mut sim, lanes[1]), 0);
    // Both have been idle for longer than a busy worker is taken to be busy.
    sim.advance(ms(2));
    connect(&mut sim, balancer, 2);
    assert!(lanes.iter().any(|lane| sim.lanes[lane].open), "{:?}", sim.lanes);
    assert_eq!(lanes.iter().map(|lane| accept_all(&mut sim, *lane)).sum::<usize>(), 2);
    // Idle workers come first again once it is quiet.
    sim.advance(ms(10));
    connect(&mut sim, balancer, 2);
    assert!(lanes.iter().all(|lane| has_single(&sim, *lane) && !sim.lanes[lane].open), "{:?}", sim.lanes);
}

/// Both workers are always busy and one is quicker: what each has got after so many milliseconds of which the first takes
/// `quick` connections each and the other `slow`, and for how many milliseconds one could take nothing at the longest.
fn storm(quick: usize, slow: usize, time: usize) -> ([usize; 2], usize) {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(2));
    connect(&mut sim, balancer, 64);
    let mut got = [0, 0];
    let (mut rested, mut longest) = ([0, 0], 0);
    for _ in 0..time {
        for (lane, rested) in lanes.iter().map(|lane| &sim.lanes[lane]).zip(&mut rested) {
            *rested = if lane.open || !lane.queue.is_empty() { 0 } else { *rested + 1 };
            longest = longest.max(*rested);
        }
        for (worker, most) in [(0, quick), (1, slow)] {
            for _ in 0..most {
                if let Some(Record::Conn(_)) = sim.take(lanes[worker]) {
                    got[worker] += 1;
                    // Its client comes again.
                    sim.connect(balancer);
                }
            }
        }
        sim.advance(ms(1));
    }
    (got, longest)
}

#[test]
fn who_is_far_ahead_rests_but_never_where_that_costs_rate() {
    let ([quick, slow], rested) = storm(12, 10, 1_000);
    assert!(quick * 10 <= slow * 12, "{quick} and {slow}");
    // From outside it looks like a worker that was not told.
    assert!((2..5).contains(&rested), "{rested} ms");
    let ([quick, slow], _) = storm(20, 1, 1_000);
    assert!(quick + slow > 15_000, "{quick} and {slow}: the slow one holds the quick one back");
}

#[test]
fn an_open_credit_that_does_not_wake_its_worker_is_given_anew_once() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(1));
    connect(&mut sim, balancer, 4);
    assert!(sim.lanes[&lanes[0]].open);
    sim.take_orders();
    sim.input(Input::Stalled { lane: lanes[0] });
    let opened =
        |orders: &[Output]| orders.iter().filter(|order| matches!(order, Output::Open { .. })).count();
    assert_eq!(opened(&sim.take_orders()), 1);
    // It takes one a wake-up, which does not show that it is woken for each.
    assert!(matches!(sim.take(lanes[0]), Some(Record::Conn(_))));
    sim.take_orders();
    sim.input(Input::Stalled { lane: lanes[0] });
    assert_eq!(opened(&sim.take_orders()), 0, "and then it gets singles");
    assert!(has_single(&sim, lanes[0]));
    accept_all(&mut sim, lanes[0]);
    // Not for ever: that it slept may have had another reason.
    sim.advance(ms(1_000));
    connect(&mut sim, balancer, 4);
    assert!(sim.lanes[&lanes[0]].open);
}

#[test]
fn a_connection_that_was_moved_waits_for_no_open_credit() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(2));
    connect(&mut sim, balancer, 50);
    sim.advance(ms(1));
    assert!(lanes.iter().all(|lane| sim.lanes[lane].open), "workers are behind");
    let before = sim.conns.len();
    sim.bring(balancer);
    let holds = |sim: &Sim, lane: &LaneId| {
        sim.lanes[lane].queue.iter().any(|record| matches!(record, Record::Conn(_)))
    };
    let given: Vec<_> = lanes.iter().filter(|lane| holds(&sim, lane)).copied().collect();
    assert_eq!(given.len(), 1, "it is in a lane at once");
    assert_eq!(lanes.iter().filter(|lane| sim.lanes[lane].open).count(), 1, "for which one credit has ended");
    // The queue is never found empty, and still it is taken: its lane has no open credit before.
    for _ in 0..10 {
        connect(&mut sim, balancer, 10);
        sim.advance(ms(1));
        assert!(!sim.lanes[&given[0]].open, "it would wait behind the queue");
    }
    while holds(&sim, &given[0]) {
        assert!(sim.take(given[0]).is_some());
    }
    assert!(sim.conns.len() > before);
    sim.advance(ms(2));
    connect(&mut sim, balancer, 1);
    assert!(sim.lanes[&given[0]].open, "it accepts by itself again");
}

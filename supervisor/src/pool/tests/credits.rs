//! Credits in virtual time: who may accept next, what holds nothing up, when many may be taken at once, and what is revoked.

use super::super::sim::{Fate, Record, Sim, ms, settings, with};
use super::super::{Command, Input, Output};
use crate::ids::{BalancerId, ConnId, LaneId};
use std::time::Duration;

/// The lane's worker accepts as long as it may. How many it got.
pub(super) fn accept_all(sim: &mut Sim, lane: LaneId) -> usize {
    let mut count = 0;
    for _ in 0..100 {
        match sim.take(lane) {
            Some(Record::Conn(_)) => count += 1,
            Some(_) => {}
            None if sim.lanes[&lane].queue.is_empty() && !sim.lanes[&lane].open => return count,
            None => {}
        }
    }
    panic!("it accepts for ever");
}

pub(super) fn connect(sim: &mut Sim, balancer: BalancerId, count: usize) {
    (0..count).for_each(|_| sim.connect(balancer));
}

pub(super) fn has_single(sim: &Sim, lane: LaneId) -> bool {
    sim.lanes[&lane].queue.contains(&Record::Single)
}

#[test]
fn singles_rotate_exactly_while_workers_keep_up() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(3));
    for turn in 0..30 {
        sim.connect(balancer);
        let own = lanes[turn % 3];
        assert!(has_single(&sim, own), "turn {turn}");
        assert_eq!(lanes.iter().filter(|lane| has_single(&sim, **lane)).count(), 1);
        assert_eq!(accept_all(&mut sim, own), 1);
        sim.advance(ms(5));
    }
}

#[test]
fn a_single_that_is_not_used_holds_nothing_up() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(3));
    sim.connect(balancer);
    assert!(has_single(&sim, lanes[0]));
    sim.advance(Duration::from_micros(1_000));
    assert!(has_single(&sim, lanes[1]), "the next gets one too");
    assert_eq!(accept_all(&mut sim, lanes[1]), 1);
    // The late one finds nothing, and is given the next when it is its turn.
    assert_eq!(accept_all(&mut sim, lanes[0]), 0);
    sim.connect(balancer);
    assert!(has_single(&sim, lanes[2]));
}

#[test]
fn who_has_been_woken_is_not_late_for_a_while() {
    let late = |sim: &Sim, balancer| sim.pool.balancer(balancer).map(|balancer| balancer.late());
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(2));
    sim.connect(balancer);
    for at in 1..=19 {
        sim.now += Duration::from_millis(1);
        assert_eq!(sim.pool.late_lanes(sim.now, balancer).collect::<Vec<_>>(), [lanes[0]], "after {at} ms");
        sim.input(super::super::Input::Woken { lane: lanes[0] });
        sim.advance(Duration::ZERO);
        assert!(!has_single(&sim, lanes[1]), "after {at} ms");
    }
    assert_eq!(late(&sim, balancer), Some(0));
    // It has waited for a processor for too long: the next gets its turn, and it is not asked about any more.
    sim.advance(ms(2));
    assert!(has_single(&sim, lanes[1]));
    assert!(sim.pool.late_lanes(sim.now, balancer).all(|lane| lane != lanes[0]));
    sim.advance(ms(5));
    assert_eq!(late(&sim, balancer), Some(2), "each turn counts once");
}

#[test]
fn a_dead_or_stuck_worker_keeps_no_connection_from_the_others() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(4));
    for _ in 0..12 {
        sim.connect(balancer);
        sim.advance(Duration::from_micros(1_000));
        let taken: usize = lanes[1..].iter().map(|lane| accept_all(&mut sim, *lane)).sum();
        assert_eq!(taken, 1, "within a millisecond, by whoever is not stuck");
    }
    assert_eq!(sim.lanes[&lanes[0]].queue.len(), 1, "the stuck one has the one credit that it does not use");
}

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

#[test]
fn idle_workers_get_singles_however_deep_the_queue() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(4));
    sim.prompt = true;
    for _ in 0..4 {
        sim.connect(balancer);
    }
    assert!(lanes.iter().all(|lane| has_single(&sim, *lane)));
    let taken: Vec<usize> = lanes.iter().map(|lane| accept_all(&mut sim, *lane)).collect();
    assert_eq!(taken, [1, 1, 1, 1]);
}

#[test]
fn who_blocks_or_has_a_limit_gets_singles_only() {
    let limited = with(settings(2), |s| s.balancing.max_connections = Some(64));
    for (settings, may_open) in [(settings(2), false), (limited, true)] {
        let mut sim = Sim::new(settings);
        (sim.by_credit, sim.may_open) = (true, may_open);
        let (mut sim, balancer, lanes) = sim.serve();
        connect(&mut sim, balancer, 10);
        let mut taken = 0;
        for _ in 0..10 {
            assert!(lanes.iter().all(|lane| !sim.lanes[lane].open));
            taken += lanes.iter().map(|lane| accept_all(&mut sim, *lane)).sum::<usize>();
            sim.advance(ms(1));
        }
        assert_eq!(taken, 10);
    }
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
fn a_cordoned_worker_has_no_credit_left() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(2));
    connect(&mut sim, balancer, 8);
    assert!(sim.lanes[&lanes[0]].open);
    sim.command(0, Command::Cordon);
    assert!(!sim.lanes[&lanes[0]].open && !has_single(&sim, lanes[0]));
    assert_eq!(accept_all(&mut sim, lanes[0]), 0);
    assert_eq!(accept_all(&mut sim, lanes[1]), 8);
    connect(&mut sim, balancer, 3);
    assert_eq!(accept_all(&mut sim, lanes[0]), 0);
    sim.advance(ms(5));
    assert_eq!(accept_all(&mut sim, lanes[1]), 3);
    sim.command(0, Command::Uncordon);
    connect(&mut sim, balancer, 2);
    assert_eq!(accept_all(&mut sim, lanes[0]) + accept_all(&mut sim, lanes[1]), 2);
}

#[test]
fn what_a_dead_worker_was_to_take_goes_to_another() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(2));
    sim.connect(balancer);
    assert!(has_single(&sim, lanes[0]));
    sim.exit(0);
    assert!(has_single(&sim, lanes[1]), "at once, not when the single would have been late");
    assert_eq!(accept_all(&mut sim, lanes[1]), 1);
}

#[test]
fn nobody_serves_until_somebody_comes_and_then_all_is_served() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(1));
    sim.command(0, Command::Cordon);
    connect(&mut sim, balancer, 3);
    assert_eq!(accept_all(&mut sim, lanes[0]), 0);
    sim.command(0, Command::Uncordon);
    let mut taken = 0;
    for _ in 0..3 {
        taken += accept_all(&mut sim, lanes[0]);
        sim.advance(ms(1));
    }
    assert_eq!(taken, 3);
}

#[test]
fn an_open_credit_that_does_not_wake_its_worker_is_given_anew_once() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(1));
    connect(&mut sim, balancer, 4);
    assert!(sim.lanes[&lanes[0]].open);
    sim.take_orders();
    sim.input(super::super::Input::Stalled { lane: lanes[0] });
    let opened =
        |orders: &[Output]| orders.iter().filter(|order| matches!(order, Output::Open { .. })).count();
    assert_eq!(opened(&sim.take_orders()), 1);
    // It takes one a wake-up, which does not show that it is woken for each.
    assert!(matches!(sim.take(lanes[0]), Some(Record::Conn(_))));
    sim.take_orders();
    sim.input(super::super::Input::Stalled { lane: lanes[0] });
    assert_eq!(opened(&sim.take_orders()), 0, "and then it gets singles");
    assert!(has_single(&sim, lanes[0]));
    accept_all(&mut sim, lanes[0]);
    // Not for ever: that it slept may have had another reason.
    sim.advance(ms(1_000));
    connect(&mut sim, balancer, 4);
    assert!(sim.lanes[&lanes[0]].open);
}

#[test]
fn a_lane_that_is_no_longer_given_one_by_one_is_told_of_what_waits() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(1));
    sim.one_by_one(lanes[0], true);
    connect(&mut sim, balancer, 2);
    assert!(matches!(sim.take(lanes[0]), Some(Record::Conn(_))));
    assert!(!has_single(&sim, lanes[0]), "its thread is in a request");
    sim.one_by_one(lanes[0], false);
    assert_eq!(accept_all(&mut sim, lanes[0]), 1);
}

#[test]
fn who_comes_back_is_told_of_what_waits() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(2));
    sim.command(1, Command::Cordon);
    sim.connect(balancer);
    sim.advance(ms(50));
    assert!(has_single(&sim, lanes[0]) && !has_single(&sim, lanes[1]));
    sim.command(1, Command::Uncordon);
    assert!(has_single(&sim, lanes[1]), "the other has had its credit for too long");
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

#[test]
fn a_lane_whose_buffer_is_full_is_not_tried_again_until_it_is_counted() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(1));
    sim.input(Input::Accepters { lane: lanes[0], threads: 64, may_open: false, may_watch: false });
    // They were accepted for another worker, which has ended. Its threads may take far more than lie in it at a time.
    let held: Vec<ConnId> = (0..40).map(|number| ConnId(1_000_000 + number)).collect();
    for conn in &held {
        sim.conns.insert(*conn, Fate::Held);
        sim.input(Input::Accepted { conn: *conn, balancer, source: 0 });
    }
    assert_eq!(sim.pool.held(), 40 - sim.lanes[&lanes[0]].queue.len());
    assert!(sim.pool.held() > 0, "it has no room for all");
    let worker = sim.worker(0);
    for _ in 0..40 {
        accept_all(&mut sim, lanes[0]);
        sim.advance(ms(50));
    }
    assert!(held.iter().all(|conn| sim.conns[conn] == Fate::TakenBy(worker)), "{:?}", sim.conns);
}

//! Credits in virtual time: who may accept next, what holds nothing up, when many may be taken at once, and what is revoked.

use crate::ids::{BalancerId, ConnId, LaneId};
use crate::pool::tests::sim::{Fate, Record, Sim, ms, settings, with};
use crate::pool::{Input, WorkerCommand};
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
        sim.input(Input::Woken { lane: lanes[0] });
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

#[test]
fn a_cordoned_worker_has_no_credit_left() {
    let (mut sim, balancer, lanes) = Sim::on_credit(settings(2));
    connect(&mut sim, balancer, 8);
    assert!(sim.lanes[&lanes[0]].open);
    sim.command(0, WorkerCommand::Cordon);
    assert!(!sim.lanes[&lanes[0]].open && !has_single(&sim, lanes[0]));
    assert_eq!(accept_all(&mut sim, lanes[0]), 0);
    assert_eq!(accept_all(&mut sim, lanes[1]), 8);
    connect(&mut sim, balancer, 3);
    assert_eq!(accept_all(&mut sim, lanes[0]), 0);
    sim.advance(ms(5));
    assert_eq!(accept_all(&mut sim, lanes[1]), 3);
    sim.command(0, WorkerCommand::Uncordon);
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
    sim.command(0, WorkerCommand::Cordon);
    connect(&mut sim, balancer, 3);
    assert_eq!(accept_all(&mut sim, lanes[0]), 0);
    sim.command(0, WorkerCommand::Uncordon);
    let mut taken = 0;
    for _ in 0..3 {
        taken += accept_all(&mut sim, lanes[0]);
        sim.advance(ms(1));
    }
    assert_eq!(taken, 3);
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
    sim.command(1, WorkerCommand::Cordon);
    sim.connect(balancer);
    sim.advance(ms(50));
    assert!(has_single(&sim, lanes[0]) && !has_single(&sim, lanes[1]));
    sim.command(1, WorkerCommand::Uncordon);
    assert!(has_single(&sim, lanes[1]), "the other has had its credit for too long");
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

//! Credits where connections are counted: there are singles only, an unused one counts as a connection, and by
//! `Policy::LeastConnections` who has fewest of both comes first.

use super::credit::{accept_all, connect, has_single};
use crate::ids::{BalancerId, LaneId};
use crate::pool::tests::sim::{Sim, ms, settings, with};
use crate::pool::{Input, LaneStatus, Output, Policy, Settings, WorkerCommand};
use std::time::Duration;

fn limited(workers: u32, max: u32) -> Settings {
    with(settings(workers), |s| s.balancing.max_connections = Some(max))
}

fn least(workers: u32) -> Settings {
    with(settings(workers), |s| s.balancing.policy = Policy::LeastConnections)
}

fn status(sim: &Sim, lane: LaneId) -> Option<LaneStatus> {
    sim.pool.lane(lane).map(|lane| lane.status())
}

/// Held by the worker from before.
fn hold(sim: &mut Sim, balancer: BalancerId, lane: LaneId, count: usize) {
    for _ in 0..count {
        sim.connect(balancer);
        sim.advance(Duration::from_micros(500));
        assert_eq!(accept_all(sim, lane), 1);
        sim.advance(ms(20));
    }
}

#[test]
fn an_unused_single_counts_as_a_connection() {
    let (mut sim, one, lanes) = Sim::on_credit(limited(1, 2));
    let two = sim.open();
    let more = [sim.listen(0, two), sim.listen(0, two)];
    connect(&mut sim, one, 3);
    connect(&mut sim, two, 3);
    let all = [lanes[0], more[0], more[1]];
    assert_eq!(all.map(|lane| has_single(&sim, lane)), [true, true, false]);
    assert_eq!(all.map(|lane| status(&sim, lane)), [Some(LaneStatus::AtLimit); 3]);
    sim.count_connections(sim.worker(0));
    assert_eq!(all.map(|lane| accept_all(&mut sim, lane)), [1, 1, 0]);
    sim.finish(sim.worker(0));
    sim.count_connections(sim.worker(0));
    assert_eq!(all.map(|lane| accept_all(&mut sim, lane)).iter().sum::<usize>(), 1);
}

#[test]
fn a_single_that_found_nothing_soon_leaves_room_for_another() {
    let (mut sim, one, lanes) = Sim::on_credit(limited(2, 1));
    let two = sim.open();
    let other = sim.listen(0, two);
    sim.connect(one);
    sim.advance(ms(1));
    assert!(lanes.iter().all(|lane| has_single(&sim, *lane)));
    assert_eq!(accept_all(&mut sim, lanes[1]), 1);
    sim.connect(two);
    // By now it is counted seldom.
    sim.advance(ms(70));
    assert!(!has_single(&sim, other), "it may still accept by the other");
    assert_eq!(accept_all(&mut sim, lanes[0]), 0);
    sim.look_at_all_queues();
    sim.advance(ms(1));
    assert!(has_single(&sim, other), "it has found nothing");
}

#[test]
fn what_a_lane_that_closes_was_given_is_counted_soon() {
    let (mut sim, balancer, lanes) = Sim::on_credit(limited(1, 1));
    let other = sim.listen(0, balancer);
    sim.connect(balancer);
    assert!(has_single(&sim, lanes[0]));
    sim.advance(ms(1_000));
    assert!(!has_single(&sim, other), "the first may accept still");
    sim.input(Input::LaneClosed { lane: lanes[0] });
    assert!(!has_single(&sim, other), "the first may have accepted");
    sim.advance(ms(1));
    assert!(has_single(&sim, other), "it has not");
}

#[test]
fn what_is_taken_back_is_counted_soon() {
    let (mut sim, balancer, lanes) = Sim::on_credit(limited(1, 1));
    let other = sim.listen(0, balancer);
    sim.connect(balancer);
    sim.advance(ms(1_000));
    assert!(!has_single(&sim, other));
    sim.takes_credit(lanes[0], false);
    sim.advance(ms(1));
    assert_eq!(sim.open_connections(sim.worker(0)) + sim.rights(sim.worker(0)), 1, "it is given anew");
}

#[test]
fn a_place_that_nothing_was_found_for_goes_to_who_waits_elsewhere() {
    let by_hash = with(limited(1, 1), |s| s.balancing.policy = Policy::SourceHash);
    let (mut sim, one, lanes) = Sim::on_credit(by_hash);
    let two = sim.open();
    let other = sim.listen(0, two);
    [lanes[0], other].into_iter().for_each(|lane| sim.takes_credit(lane, false));
    sim.command(0, WorkerCommand::Cordon);
    sim.connect(one);
    sim.connect(two);
    sim.kernel.values_mut().take(1).for_each(|listener| listener.queue.clear());
    sim.command(0, WorkerCommand::Uncordon);
    assert_eq!(sim.lanes[&other].queue.len(), 1);
}

#[test]
fn the_fewest_connections_come_first() {
    let (mut sim, balancer, lanes) = Sim::on_credit(least(3));
    (0..6).for_each(|turn| hold(&mut sim, balancer, lanes[turn % 3], 1));
    for _ in 0..2 {
        sim.finish(sim.worker(1));
    }
    sim.count_connections(sim.worker(1));
    for own in [1, 1, 0, 2, 1] {
        hold(&mut sim, balancer, lanes[own], 1);
    }
}

/// The first has some connections and the second none, and more wait than one.
fn uneven() -> (Sim, BalancerId, [LaneId; 2]) {
    let (mut sim, balancer, lanes) = Sim::on_credit(least(2));
    sim.command(1, WorkerCommand::Cordon);
    hold(&mut sim, balancer, lanes[0], 6);
    sim.command(1, WorkerCommand::Uncordon);
    connect(&mut sim, balancer, 20);
    (sim, balancer, [lanes[0], lanes[1]])
}

#[test]
fn who_has_more_waits_until_the_others_have_as_many() {
    let (mut sim, balancer, lanes) = uneven();
    for _ in 0..5 {
        assert_eq!(lanes.map(|lane| has_single(&sim, lane)), [false, true]);
        sim.take(lanes[1]);
    }
    while sim.queued(balancer) > 0 {
        assert!(sim.open_connections(sim.worker(0)).abs_diff(sim.open_connections(sim.worker(1))) <= 2);
        for lane in lanes {
            sim.take(lane);
        }
    }
    assert_eq!([0, 1].map(|slot| sim.open_connections(sim.worker(slot))), [13, 13]);
}

#[test]
fn a_single_that_is_late_holds_up_nobody() {
    let (mut sim, _, [first, second]) = uneven();
    assert!(!has_single(&sim, first) && has_single(&sim, second));
    sim.advance(ms(1));
    assert!(has_single(&sim, first));
}

#[test]
fn unless_its_thread_is_on_its_way() {
    let (mut sim, balancer, [first, _]) = uneven();
    for _ in 0..19 {
        sim.advance(Duration::from_micros(999));
        let late: Vec<LaneId> = sim.pool.late_lanes(sim.now + Duration::from_micros(1), balancer).collect();
        late.into_iter().for_each(|lane| sim.tell(Input::Woken { lane }));
        assert!(!has_single(&sim, first), "another's thread would have to wait for a processor, too");
    }
    sim.advance(ms(3));
    assert!(has_single(&sim, first));
}

#[test]
fn no_count_is_put_off_by_what_happens_meanwhile() {
    let (mut sim, balancer, lanes) = Sim::on_credit(limited(1, 1));
    sim.connect(balancer);
    assert!(has_single(&sim, lanes[0]));
    sim.take_orders();
    for _ in 0..4 {
        sim.advance(Duration::from_micros(300));
        let other = sim.listen(0, balancer);
        sim.input(Input::LaneClosed { lane: other });
    }
    assert!(sim.take_orders().contains(&Output::Count { worker: sim.worker(0) }));
}

//! Suspects whose clients have gone elsewhere: which connections count as missed, and what follows for who hangs.

use crate::ids::{BalancerId, LaneId};
use crate::pool::tests::sim::{Sim, ms, settings, with};
use crate::pool::{Note, Policy, Settings};

/// So long it takes until a worker is found to hang.
const HANG: u64 = 30_000;

/// Two workers of which the first has taken a connection and lags since, so long that it is out of rotation. Nothing waits.
fn out_of_rotation(settings: Settings) -> (Sim, BalancerId, Vec<LaneId>) {
    let (mut sim, balancer, lanes) = Sim::serving(settings);
    sim.advance(ms(20_000));
    sim.connect(balancer);
    assert!(sim.take(lanes[0]).is_some(), "the first connection is the first worker's");
    sim.advance(ms(1_000));
    sim.look(&[(0, 1_000)]);
    assert!(sim.pool.is_suspect(sim.worker(0)));
    (sim, balancer, lanes)
}

/// Its lag grows until it is this, with a look each second; the second worker takes what it gets.
fn lag(sim: &mut Sim, lanes: &[LaneId], from: u64, to: u64) {
    for lag in (from..=to).step_by(1_000) {
        sim.advance(ms(1_000));
        while sim.take(lanes[1]).is_some() {}
        sim.look(&[(0, lag)]);
    }
}

fn hung(sim: &Sim) -> usize {
    sim.notes.iter().filter(|note| matches!(note, Note::Hung { .. })).count()
}

#[test]
fn a_connection_whose_turn_it_would_have_been_is_demand() {
    let (mut sim, balancer, lanes) = out_of_rotation(settings(2));
    sim.connect(balancer);
    lag(&mut sim, &lanes, 2_000, 2 * HANG);
    assert_eq!(hung(&sim), 0, "that was the other's turn");
    sim.connect(balancer);
    lag(&mut sim, &lanes, 2 * HANG + 1_000, 2 * HANG + 1_000);
    assert_eq!(hung(&sim), 1, "light traffic is enough, and counts when it comes");
}

#[test]
fn who_is_missed_by_nobody_goes_on_for_ever() {
    let (mut sim, _, lanes) = out_of_rotation(settings(2));
    lag(&mut sim, &lanes, 2_000, 20 * HANG);
    assert_eq!(hung(&sim), 0);
}

#[test]
fn what_was_missed_before_it_came_back_counts_no_more() {
    let (mut sim, balancer, lanes) = out_of_rotation(settings(2));
    (0..2).for_each(|_| sim.connect(balancer));
    lag(&mut sim, &lanes, 2_000, 4_000);
    for _ in 0..2 {
        sim.advance(ms(1_000));
        sim.look(&[(0, 0)]);
    }
    assert!(!sim.pool.is_suspect(sim.worker(0)));
    sim.advance(ms(1_000));
    lag(&mut sim, &lanes, 1_000, 2 * HANG);
    assert!(sim.pool.is_suspect(sim.worker(0)));
    assert_eq!(hung(&sim), 0);
}

#[test]
fn a_policy_says_whose_connection_it_would_have_been() {
    let mut missed = Vec::new();
    for source in 0..64 {
        let by_hash = with(settings(2), |s| s.balancing.policy = Policy::SourceHash);
        let (mut sim, balancer, lanes) = Sim::serving(by_hash);
        sim.advance(ms(1_000));
        sim.connect_from(balancer, source);
        let own = sim.take(lanes[0]).is_some();
        while sim.take(lanes[1]).is_some() {}
        lag(&mut sim, &lanes, 1_000, 2_000);
        sim.connect_from(balancer, source);
        lag(&mut sim, &lanes, 3_000, HANG);
        assert_eq!(hung(&sim) == 1, own, "source {source}");
        missed.push(own);
    }
    assert!(missed.contains(&true) && missed.contains(&false));

    let fewest = with(settings(2), |s| s.balancing.policy = Policy::LeastConnections);
    let (mut sim, balancer, lanes) = out_of_rotation(fewest);
    sim.connect(balancer);
    lag(&mut sim, &lanes, 2_000, 2 * HANG);
    assert_eq!(hung(&sim), 0, "the other had none");
    sim.connect(balancer);
    lag(&mut sim, &lanes, 2 * HANG + 1_000, 2 * HANG + 1_000);
    assert_eq!(hung(&sim), 1, "both had one, and it was the less recently connected");
}

#[test]
fn a_worker_that_may_have_no_more_connections_misses_none() {
    let full = with(settings(3), |s| s.balancing.max_connections = Some(1));
    let (mut sim, balancer, lanes) = out_of_rotation(full);
    // Which of them is open is not the point: the suspect has one.
    (0..2).for_each(|_| sim.connect(balancer));
    lag(&mut sim, &lanes, 2_000, 2 * HANG);
    assert_eq!(hung(&sim), 0);
}

#[test]
fn for_how_long_it_is_behind_goes_on_growing() {
    let (mut sim, _, lanes) = out_of_rotation(settings(2));
    let id = sim.worker(0);
    assert_eq!(sim.pool.behind_for(sim.now, id), ms(1_000));
    lag(&mut sim, &lanes, 2_000, 5_000);
    assert_eq!(sim.pool.behind_for(sim.now + ms(500), id), ms(5_500));
}

//! Whom a connection is given, other than in rotation.

use crate::ids::{BalancerId, LaneId};
use crate::pool::tests::sim::{Sim, settings, with};
use crate::pool::{Output, Policy, WorkerCommand};

/// Connects and has it taken; tells the index of the lane it went to.
fn connect(sim: &mut Sim, balancer: BalancerId, lanes: &[LaneId], source: u64) -> usize {
    sim.take_orders();
    sim.connect_from(balancer, source);
    let dispatched = sim.take_orders().into_iter().find_map(|order| match order {
        Output::Dispatch { lane, .. } => Some(lane),
        _ => None,
    });
    let lane = dispatched.expect("a lane is ready");
    sim.take(lane);
    lanes.iter().position(|other| *other == lane).expect("it is one of them")
}

fn serving(policy: Policy, workers: u32) -> (Sim, BalancerId, Vec<LaneId>) {
    Sim::serving(with(settings(workers), |s| s.balancing.policy = policy))
}

#[test]
fn the_worker_with_the_fewest_open_connections_is_next() {
    let (mut sim, balancer, lanes) = serving(Policy::LeastConnections, 3);
    let next = |sim: &mut Sim| connect(sim, balancer, &lanes, 0);
    // All alike: the least recent.
    assert_eq!([next(&mut sim), next(&mut sim), next(&mut sim), next(&mut sim)], [0, 1, 2, 0]);
    let (first, second) = (sim.worker(0), sim.worker(1));
    sim.finish(second);
    sim.count_connections(second);
    assert_eq!(next(&mut sim), 1, "it has none");
    assert_eq!([next(&mut sim), next(&mut sim)], [2, 1]);
    sim.finish(first);
    sim.finish(first);
    sim.count_connections(first);
    assert_eq!([next(&mut sim), next(&mut sim)], [0, 0]);
    let open: Vec<_> = sim.pool.workers().map(|worker| worker.open_connections()).collect();
    assert_eq!(open, [Some(2), Some(2), None]);
}

#[test]
fn a_new_process_has_none() {
    let (mut sim, balancer, mut lanes) = serving(Policy::LeastConnections, 2);
    (0..6).for_each(|_| {
        connect(&mut sim, balancer, &lanes, 0);
    });
    sim.command(0, WorkerCommand::Restart);
    lanes[0] = sim.listen(0, balancer);
    assert_eq!(sim.slot(0).open_connections(), None);
    let next: Vec<_> = (0..4).map(|_| connect(&mut sim, balancer, &lanes, 0)).collect();
    assert_eq!(next, [0, 0, 0, 1], "until it has as many as the other; then the least recent");
    assert_eq!(sim.slot(0).dispatched(), 6, "over all its processes");
}

#[test]
fn a_count_of_another_process_is_not_believed() {
    let (mut sim, balancer, _) = serving(Policy::LeastConnections, 1);
    let dead = sim.worker(0);
    sim.command(0, WorkerCommand::Restart);
    sim.listen(0, balancer);
    sim.input(crate::pool::Input::OpenConnections { worker: dead, open: 9 });
    assert_eq!(sim.slot(0).open_connections(), None);
}

#[test]
fn a_lane_that_is_full_is_passed_over() {
    let (mut sim, balancer, lanes) = serving(Policy::LeastConnections, 2);
    let worker = sim.worker(1);
    sim.input(crate::pool::Input::OpenConnections { worker, open: 100 });
    (0..3).for_each(|_| sim.connect(balancer));
    assert_eq!((sim.lanes[&lanes[0]].queue.len(), sim.lanes[&lanes[1]].queue.len()), (2, 1));
}

#[test]
fn a_source_keeps_its_worker_and_sources_spread_evenly() {
    let (mut sim, balancer, lanes) = serving(Policy::SourceHash, 4);
    let mut counts = [0; 4];
    for source in 0..4_000 {
        let lane = connect(&mut sim, balancer, &lanes, source);
        counts[lane] += 1;
        if source % 100 == 0 {
            assert_eq!(connect(&mut sim, balancer, &lanes, source), lane);
        }
    }
    assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
}

#[test]
fn a_source_moves_only_when_its_worker_does() {
    let (mut sim, balancer, lanes) = serving(Policy::SourceHash, 4);
    let before: Vec<_> = (0..400).map(|source| connect(&mut sim, balancer, &lanes, source)).collect();
    sim.command(2, WorkerCommand::Cordon);
    let mut moved = [0; 4];
    for (source, lane) in before.iter().enumerate() {
        let now = connect(&mut sim, balancer, &lanes, source as u64);
        assert_ne!(now, 2);
        if *lane == 2 {
            moved[now] += 1;
        } else {
            assert_eq!(now, *lane);
        }
    }
    assert!(moved[0] > 10 && moved[1] > 10 && moved[3] > 10, "{moved:?}: its sources are shared out");
    sim.command(2, WorkerCommand::Uncordon);
    let after: Vec<_> = (0..400).map(|source| connect(&mut sim, balancer, &lanes, source)).collect();
    assert_eq!(before, after);
}

#[test]
fn a_source_whose_worker_is_busy_spills_over_to_always_the_same() {
    let (mut sim, balancer, lanes) = serving(Policy::SourceHash, 3);
    let source = 5;
    let first = connect(&mut sim, balancer, &lanes, source);
    (0..7).for_each(|_| sim.connect_from(balancer, source));
    let waiting: Vec<_> = lanes.iter().map(|lane| sim.lanes[lane].queue.len()).collect();
    assert_eq!((waiting[first], waiting.iter().sum::<usize>(), sim.pool.held()), (2, 6, 1));
    // What is held goes to whoever takes first.
    let other = (first + 1) % 3;
    sim.take(lanes[other]);
    assert_eq!(sim.lanes[&lanes[other]].queue.len(), 2);
}

#[test]
fn a_connection_that_comes_back_goes_where_its_source_prefers() {
    let (mut sim, balancer, mut lanes) = serving(Policy::SourceHash, 3);
    let by_source: Vec<_> = (0..50).map(|source| connect(&mut sim, balancer, &lanes, source)).collect();
    sim.connect_from(balancer, 7);
    let slot = by_source[7];
    sim.exit(slot);
    let orphan = lanes
        .iter()
        .filter(|lane| sim.lanes.contains_key(lane))
        .any(|lane| !sim.lanes[lane].queue.is_empty());
    assert!(orphan, "others have it now");
    sim.advance(crate::pool::tests::sim::ms(200));
    lanes[slot] = sim.listen(slot, balancer);
    let again: Vec<_> = (0..50).map(|source| connect(&mut sim, balancer, &lanes, source)).collect();
    assert_eq!(by_source, again);
}

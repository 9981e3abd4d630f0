//! What becomes of connections for which there is no worker at all.

use crate::pool::tests::sim::{Fate, Sim, ms, settings, with};
use crate::pool::{Input, Note, Settings, Timer, WhenNoWorker, WorkerCommand};
use std::time::Duration;

fn holding(workers: u32, refuse_after: impl Into<Option<Duration>>) -> Settings {
    let refuse_after = refuse_after.into();
    with(settings(workers), |s| s.balancing.when_no_worker = WhenNoWorker::Hold { refuse_after })
}

fn refused(sim: &Sim) -> usize {
    sim.conns.values().filter(|fate| **fate == Fate::Refused).count()
}

#[test]
fn connections_wait_for_a_while_and_are_then_refused_until_a_worker_is_back() {
    let (mut sim, balancer, _) = Sim::serving(holding(1, ms(10_000)));
    (0..3).for_each(|_| sim.connect(balancer));
    sim.command(0, WorkerCommand::Stop);
    sim.take_notes();
    sim.connect(balancer);
    assert_eq!((sim.pool.held(), sim.queued(balancer)), (3, 1));
    assert_eq!(sim.pool.next_timer(), Some((sim.now + ms(10_000), Timer::Refuse)));
    sim.advance(ms(9_999));
    assert_eq!(refused(&sim), 0);
    sim.advance(ms(1));
    assert_eq!(sim.take_notes(), [Note::Refusing { balancer, after: ms(10_000) }]);
    assert_eq!((refused(&sim), sim.pool.held(), sim.queued(balancer)), (4, 0, 0));
    // So that a load balancer in front sees it.
    assert!(sim.pool.may_accept(balancer));
    sim.connect(balancer);
    assert_eq!(refused(&sim), 5);
    sim.drive_bounded();
    sim.command(0, WorkerCommand::Start);
    sim.connect(balancer);
    assert_eq!(refused(&sim), 6, "a worker that has yet to listen is none");
    sim.take_notes();
    let lane = sim.listen(0, balancer);
    assert!(sim.take_notes().contains(&Note::Accepting { balancer }));
    sim.connect(balancer);
    assert_eq!((refused(&sim), sim.lanes[&lane].queue.len()), (6, 1));
}

#[test]
fn a_worker_that_is_back_in_time_finds_what_waited() {
    let (mut sim, balancer, _) = Sim::serving(holding(1, ms(10_000)));
    sim.connect(balancer);
    sim.exit(0);
    sim.advance(ms(9_000));
    let lane = sim.listen(0, balancer);
    assert_eq!(sim.lanes[&lane].queue.len(), 1);
    sim.take(lane);
    // The time begins anew.
    sim.exit(0);
    sim.advance(ms(9_999));
    assert!(!sim.pool.balancer(balancer).expect("open").is_refusing());
    sim.advance(ms(1));
    assert!(sim.pool.balancer(balancer).expect("open").is_refusing());
}

#[test]
fn it_may_be_refused_at_once_or_never() {
    let at_once = with(settings(1), |s| s.balancing.when_no_worker = WhenNoWorker::Refuse);
    for (settings, expected) in [(at_once, 2), (holding(1, ms(0)), 2), (holding(1, None), 0)] {
        let (mut sim, balancer, _) = Sim::serving(settings);
        sim.connect(balancer);
        sim.command(0, WorkerCommand::Stop);
        sim.connect(balancer);
        sim.advance(ms(100_000_000));
        assert_eq!(refused(&sim), expected);
    }
    assert_eq!(WhenNoWorker::default(), WhenNoWorker::Hold { refuse_after: Some(ms(10_000)) });
}

#[test]
fn full_and_suspect_workers_and_such_at_their_limit_are_workers() {
    let settings = with(holding(2, ms(100)), |s| s.balancing.max_connections = Some(2));
    let (mut sim, balancer, _) = Sim::serving(settings);
    (0..5).for_each(|_| sim.connect(balancer));
    sim.advance(ms(50_000));
    assert_eq!(refused(&sim), 0);
    assert!(sim.pool.held() > 0);
    assert_eq!(sim.pool.balancer(balancer).expect("open").no_worker_since(), None);
}

#[test]
fn cordoned_workers_are_none() {
    let (mut sim, balancer, lanes) = Sim::serving(holding(2, ms(10_000)));
    sim.command(0, WorkerCommand::Cordon);
    sim.advance(ms(50_000));
    assert!(!sim.pool.balancer(balancer).expect("open").is_refusing());
    sim.command(1, WorkerCommand::Cordon);
    assert_eq!(sim.pool.balancer(balancer).expect("open").no_worker_since(), Some(sim.now));
    sim.advance(ms(10_000));
    sim.connect(balancer);
    assert_eq!(refused(&sim), 1);
    sim.command(0, WorkerCommand::Uncordon);
    sim.connect(balancer);
    assert_eq!((refused(&sim), sim.lanes[&lanes[0]].queue.len()), (1, 1));
}

#[test]
fn a_balancer_that_never_had_a_worker_waits_for_its_first() {
    let mut sim = Sim::new(with(settings(1), |s| s.balancing.when_no_worker = WhenNoWorker::Refuse));
    sim.input(Input::Start);
    let balancer = sim.open();
    sim.connect(balancer);
    sim.advance(ms(20_000));
    assert_eq!((refused(&sim), sim.queued(balancer)), (0, 1));
}

#[test]
fn each_address_has_its_own_time() {
    let (mut sim, one, _) = Sim::serving(holding(2, ms(10_000)));
    let two = sim.open();
    let lane = sim.listen(0, two);
    sim.exit(1);
    sim.input(Input::LaneClosed { lane });
    sim.advance(ms(10_000));
    let refusing: Vec<_> = sim.pool.balancers().map(|balancer| balancer.is_refusing()).collect();
    assert_eq!(refusing, [false, true]);
    sim.connect(two);
    sim.connect(one);
    assert_eq!(refused(&sim), 1);
}

#[test]
fn while_refusing_what_comes_back_is_refused_and_a_broken_socket_accepts_nothing() {
    let (mut sim, balancer, _) =
        Sim::serving(with(settings(1), |s| s.balancing.when_no_worker = WhenNoWorker::Refuse));
    (0..2).for_each(|_| sim.connect(balancer));
    sim.command(0, WorkerCommand::Stop);
    assert_eq!((refused(&sim), sim.pool.held()), (2, 0));
    sim.fail(balancer);
    assert!(!sim.pool.may_accept(balancer));
    sim.advance(ms(1_000));
    assert!(sim.pool.may_accept(balancer), "to refuse");
}

#[test]
fn the_end_of_the_cluster_is_not_a_lack_of_workers() {
    let (mut sim, balancer, _) = Sim::serving(holding(1, ms(100)));
    sim.polite = false;
    sim.command(0, WorkerCommand::Stop);
    sim.advance(ms(100));
    assert!(sim.pool.may_accept(balancer));
    sim.take_notes();
    sim.input(Input::Stop);
    assert!(!sim.pool.may_accept(balancer));
    sim.advance(ms(5_000));
    assert!(!sim.notes.iter().any(|note| matches!(note, Note::Accepting { .. } | Note::Refusing { .. })));
}

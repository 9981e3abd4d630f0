//! Reloads that fail: what ends one, and what its workers are made of afterwards.

use super::rolling::{half_way, reload, rolling, succeed, successor};
use crate::pool::tests::sim::{Sim, ms, with};
use crate::pool::{Exit, Failed, Input, Note, Output, Reloaded, Then, WorkerCommand};
use crate::settings::Rollback;

fn failed(sim: &Sim) -> &Failed {
    match &sim.reloads[..] {
        [(1, Reloaded::Failed { failed, .. })] => failed,
        other => panic!("it did not fail: {other:?}"),
    }
}

#[test]
fn a_new_one_that_dies_ends_it_and_the_old_ones_go_on() {
    for listens in [false, true] {
        let (mut sim, balancer, new) = half_way(rolling(2));
        let old = sim.worker(1);
        if listens {
            sim.listen_by(new, balancer);
            sim.advance(ms(999));
        }
        sim.end(new, Exit::Code(3));
        sim.drain();
        assert_eq!(failed(&sim), &Failed::Exited { worker: new, exit: Exit::Code(3) });
        assert!(matches!(sim.reloads[0].1, Reloaded::Failed { replaced: 1, rolled_back: false, .. }));
        assert_eq!(sim.worker(1), old);
        assert!(sim.slot(1).is_running());
        // The budget is not touched, and who is restarted later is of the version that is known to work.
        sim.exit(1);
        sim.advance(ms(1_000));
        assert_eq!(sim.versions[&sim.worker(1)], 0);
        assert!(sim.worker(1).incarnation > new.incarnation, "a name is never used again");
    }
}

#[test]
fn a_new_one_that_never_listens_ends_it() {
    let (mut sim, _, new) = half_way(rolling(2));
    sim.advance(ms(30_000));
    assert_eq!(failed(&sim), &Failed::NotReady { worker: new, after: ms(30_000) });
    assert!(!sim.alive.contains(&new), "it was left running");
    assert_eq!(sim.alive.len(), 2);
    let told = |note: &Note| matches!(note, Note::StartFailed { then, .. } | Note::Exited { then, .. } if *then != Then::Failed);
    let of_new: Vec<_> = sim
        .notes
        .iter()
        .filter(|note| told(note) && format!("{note:?}").contains(&format!("{new:?}")))
        .collect();
    assert!(of_new.is_empty(), "its end is no end of the slot's: {of_new:?}");
    assert_eq!(sim.slot(1).last_exit(), None);
}

#[test]
fn a_new_one_that_hangs_ends_it() {
    let settings = with(rolling(2), |s| {
        s.health.hang_limit = Some(Some(ms(2_000)));
        s.rollout.min_healthy_time = ms(60_000)
    });
    let (mut sim, balancer, lanes) = Sim::serving(settings);
    reload(&mut sim, 1);
    let new = successor(&sim, 0).unwrap();
    sim.listen_by(new, balancer);
    // The third is for the new one.
    sim.connect(balancer);
    sim.connect(balancer);
    for _ in 0..20 {
        sim.connect(balancer);
        for lane in &lanes {
            sim.take(*lane);
        }
        sim.advance(ms(200));
        sim.input(Input::Lag { worker: new, lag: ms(5_000) });
    }
    assert_eq!(failed(&sim), &Failed::Hung { worker: new });
    assert!(!sim.alive.contains(&new));
}

#[test]
fn all_may_go_back() {
    let (mut sim, balancer, new) = half_way(with(rolling(2), |s| s.rollout.rollback = Rollback::All));
    sim.end(new, Exit::Code(1));
    sim.drain();
    assert!(sim.reloads.is_empty());
    let back = successor(&sim, 0).unwrap();
    assert_eq!(sim.versions[&back], 0);
    succeed(&mut sim, 0, balancer);
    sim.advance(ms(20));
    let failed = Failed::Exited { worker: new, exit: Exit::Code(1) };
    assert_eq!(sim.reloads, [(1, Reloaded::Failed { failed, replaced: 1, rolled_back: true })]);
    assert!(sim.alive.iter().all(|id| sim.versions[id] == 0));
}

#[test]
fn each_goes_back_to_what_it_had() {
    // The first is of version 1 since a reload that failed half way, the second of version 0.
    let (mut sim, balancer, new) = half_way(with(rolling(3), |s| s.rollout.max_surge = 3));
    sim.end(new, Exit::Code(1));
    sim.drain();
    let versions = |sim: &Sim| [0, 1, 2].map(|slot| sim.versions[&sim.worker(slot)]);
    assert_eq!(versions(&sim), [1, 0, 0]);
    // Without room for two, the slot's own process is the one that fails.
    reload(&mut sim, 2);
    let new = successor(&sim, 0).unwrap();
    sim.end(new, Exit::Code(1));
    sim.drain();
    sim.exit(0);
    sim.advance(ms(1_000));
    sim.listen(0, balancer);
    assert_eq!(versions(&sim), [1, 0, 0]);
}

#[test]
fn who_is_down_is_not_brought_to_a_version_that_fails() {
    let (mut sim, balancer, _) = Sim::serving(rolling(2));
    sim.command(0, WorkerCommand::Stop);
    reload(&mut sim, 1);
    let new = successor(&sim, 1).unwrap();
    sim.end(new, Exit::Code(1));
    sim.drain();
    sim.command(0, WorkerCommand::Start);
    assert_eq!(sim.versions[&sim.worker(0)], 0);
    sim.command(0, WorkerCommand::Stop);
    reload(&mut sim, 2);
    succeed(&mut sim, 1, balancer);
    sim.advance(ms(20));
    sim.command(0, WorkerCommand::Start);
    assert_eq!(sim.versions[&sim.worker(0)], 2);
}

#[test]
fn a_version_that_cannot_be_run_changes_nothing() {
    for surge in [0, 1] {
        let (mut sim, _, _) = Sim::serving(with(rolling(2), |s| {
            s.rollout.max_surge = surge;
            s.rollout.max_unavailable = 1
        }));
        sim.fit = false;
        let before = sim.alive.clone();
        reload(&mut sim, 1);
        assert!(matches!(failed(&sim), Failed::Unfit { .. }));
        assert_eq!(sim.alive, before);
        assert!(sim.take_orders().iter().all(|order| !matches!(order, Output::Signal { .. })));
    }
}

#[test]
fn no_process_comes() {
    let (mut sim, _, _) = Sim::serving(rolling(2));
    sim.prompt = false;
    reload(&mut sim, 1);
    let prepared = sim.pending.pop_front().unwrap();
    sim.tell(prepared);
    sim.drain();
    let Some(Input::Spawned { worker, .. }) = sim.pending.pop_front() else { panic!("{:?}", sim.pending) };
    sim.alive.remove(&worker);
    sim.input(Input::SpawnFailed { worker, error: "no memory".to_owned() });
    assert_eq!(failed(&sim), &Failed::NotSpawned { worker, error: "no memory".to_owned() });
}

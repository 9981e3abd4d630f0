//! Reloads over one another, aborted ones, and what a slot is made of after one that came to nothing.

use super::rolling::{busy, done, reload, rolling, succeed, successor};
use crate::pool::tests::sim::{Sim, ms, with};
use crate::pool::{Exit, Failed, Input, Outcome, Progress, Reloaded};
use crate::settings::{MemoryLimit, Rollback};

fn aborted(replaced: u32, rolled_back: bool) -> Reloaded {
    Reloaded::Failed { failed: Failed::Aborted, replaced, rolled_back }
}

#[test]
fn a_newer_one_takes_the_place_of_one_that_hangs() {
    let (mut sim, balancer, _) = Sim::serving(rolling(2));
    reload(&mut sim, 1);
    let hangs = successor(&sim, 0).unwrap();
    sim.advance(ms(5_000));
    reload(&mut sim, 2);
    assert_eq!(sim.reloads, [(1, Reloaded::Superseded)]);
    assert!(!sim.alive.contains(&hangs), "it was left running");
    let new = successor(&sim, 0).unwrap();
    assert_eq!(sim.versions[&new], 2, "its slot starts the newer version at once");
    succeed(&mut sim, 0, balancer);
    sim.advance(ms(20));
    succeed(&mut sim, 1, balancer);
    assert_eq!(sim.reloads[1..], [(2, done(2))]);
    assert!(sim.alive.iter().all(|id| sim.versions[id] == 2), "{:?}", sim.versions);
}

#[test]
fn what_has_waited_longest_comes_first_so_that_each_has_its_turn() {
    let (mut sim, balancer, _) = Sim::serving(rolling(3));
    for ticket in 1..=3 {
        reload(&mut sim, ticket);
        succeed(&mut sim, ticket as u32 - 1, balancer);
        sim.advance(ms(20));
    }
    let versions: Vec<_> = (0..3).map(|slot| sim.versions[&sim.worker(slot)]).collect();
    assert_eq!(versions, [1, 2, 3]);
}

#[test]
fn what_drains_yet_counts_for_the_newer_one() {
    let (mut sim, balancer, old) = busy();
    reload(&mut sim, 1);
    succeed(&mut sim, 0, balancer);
    reload(&mut sim, 2);
    assert_eq!(sim.reloads, [(1, Reloaded::Superseded)], "who waits for the older one is not kept");
    assert_eq!(sim.alive.len(), 3, "one process more than workers");
    assert!(sim.finish(old));
    assert!(successor(&sim, 1).is_some());
}

#[test]
fn a_worn_process_is_not_replaced_twice() {
    let settings = with(rolling(1), |s| {
        s.recycle.memory_limit = Some(MemoryLimit::Bytes(100));
        s.recycle.memory_samples = 1
    });
    let (mut sim, balancer, _) = Sim::serving(settings);
    let worker = sim.worker(0);
    sim.input(Input::Memory { worker, bytes: 200 });
    let for_memory = successor(&sim, 0).unwrap();
    reload(&mut sim, 1);
    assert!(!sim.alive.contains(&for_memory), "the reload does not wait for it");
    succeed(&mut sim, 0, balancer);
    sim.advance(ms(20));
    assert_eq!(sim.reloads, [(1, done(1))]);
    assert_eq!(successor(&sim, 0), None);
}

#[test]
fn each_slot_counts_once() {
    let (mut sim, balancer, old) = busy();
    let progress = |sim: &Sim| sim.pool.rollout().map(|rollout| rollout.progress());
    let at = |done, under_way, waiting, draining| Some(Progress { done, under_way, waiting, draining });
    reload(&mut sim, 1);
    assert_eq!(progress(&sim), at(0, 1, 1, 0));
    succeed(&mut sim, 0, balancer);
    assert_eq!(progress(&sim), at(1, 0, 1, 1), "while the old one drains");
    assert!(sim.finish(old));
    assert_eq!(progress(&sim), at(1, 1, 0, 0));
}

#[test]
fn one_that_is_aborted_leaves_the_old_ones() {
    let (mut sim, balancer, _) = Sim::serving(rolling(3));
    let before = sim.alive.clone();
    reload(&mut sim, 1);
    sim.input(Input::AbortReload);
    assert_eq!(sim.reloads, [(1, aborted(0, false))]);
    assert_eq!(sim.alive, before);
    reload(&mut sim, 2);
    succeed(&mut sim, 0, balancer);
    sim.advance(ms(20));
    sim.input(Input::AbortReload);
    assert_eq!(sim.reloads[1..], [(2, aborted(1, false))]);
    assert_eq!(sim.alive.len(), 3);
    sim.exit(1);
    sim.advance(ms(1_000));
    let versions: Vec<_> = (0..3).map(|slot| sim.versions[&sim.worker(slot)]).collect();
    assert_eq!(versions, [2, 0, 0], "what comes back is what was known to work");
    sim.input(Input::AbortReload);
    assert_eq!(sim.reloads.len(), 2, "there is none to abort");
}

#[test]
fn one_that_is_aborted_goes_back_where_it_is_to() {
    let (mut sim, balancer, _) = Sim::serving(with(rolling(2), |s| s.rollout.rollback = Rollback::All));
    reload(&mut sim, 1);
    succeed(&mut sim, 0, balancer);
    sim.advance(ms(20));
    sim.input(Input::AbortReload);
    assert!(sim.reloads.is_empty(), "it goes back first");
    succeed(&mut sim, 0, balancer);
    sim.advance(ms(20));
    assert_eq!(sim.reloads, [(1, aborted(1, true))]);
    assert!(sim.alive.iter().all(|id| sim.versions[id] == 0));
}

#[test]
fn a_return_that_hangs_gives_way_too() {
    for abort in [false, true] {
        let (mut sim, balancer, _) = Sim::serving(with(rolling(2), |s| s.rollout.rollback = Rollback::All));
        reload(&mut sim, 1);
        succeed(&mut sim, 0, balancer);
        sim.advance(ms(20));
        let new = successor(&sim, 1).unwrap();
        sim.end(new, Exit::Code(1));
        sim.drain();
        let back = successor(&sim, 0).unwrap();
        if abort {
            sim.input(Input::AbortReload);
        } else {
            reload(&mut sim, 2);
        }
        assert!(!sim.alive.contains(&back));
        let failed = Failed::Exited { worker: new, exit: Exit::Code(1) };
        assert_eq!(sim.reloads, [(1, Reloaded::Failed { failed, replaced: 1, rolled_back: false })]);
        assert_eq!(successor(&sim, 1).is_some(), !abort, "the one of the old version comes first");
    }
}

/// The slot's own process is the new one where there is no room for two, or where the old one died.
#[test]
fn a_slot_that_the_new_version_has_alone_gets_the_old_one_back() {
    for surge in [0, 1] {
        let settings = with(rolling(1), |s| {
            s.rollout.max_surge = surge;
            s.rollout.max_unavailable = 1
        });
        let (mut sim, balancer, _) = Sim::serving(settings);
        reload(&mut sim, 1);
        if surge == 1 {
            sim.exit(0);
        }
        let hangs = sim.worker(0);
        assert_eq!(sim.versions[&hangs], 1);
        sim.input(Input::AbortReload);
        sim.advance(ms(200));
        assert!(!sim.alive.contains(&hangs), "it was left to hang");
        assert_eq!(sim.versions[&sim.worker(0)], 0);
        sim.listen(0, balancer);
        assert_eq!(sim.reloads, [(1, aborted(0, false))]);
    }
}

#[test]
fn slots_that_come_after_a_failure_are_of_the_version_that_works() {
    let (mut sim, balancer, _) = Sim::serving(rolling(2));
    reload(&mut sim, 1);
    succeed(&mut sim, 0, balancer);
    sim.advance(ms(20));
    let new = successor(&sim, 1).unwrap();
    sim.end(new, Exit::Code(1));
    sim.drain();
    sim.input(Input::Scale { workers: 3 });
    sim.advance(ms(20));
    assert_eq!(sim.versions[&sim.worker(2)], 0);
    assert!(sim.reloads.iter().all(|(_, how)| matches!(how, Reloaded::Failed { replaced: 1, .. })));
}

#[test]
fn slots_that_come_during_a_reload_have_their_turn() {
    let (mut sim, balancer, _) = Sim::serving(with(rolling(1), |s| s.max_starting = 2));
    reload(&mut sim, 1);
    sim.input(Input::Scale { workers: 2 });
    sim.advance(ms(20));
    assert_eq!(sim.versions[&sim.worker(1)], 0, "what is known to work comes up first");
    sim.listen(1, balancer);
    succeed(&mut sim, 0, balancer);
    sim.advance(ms(20));
    succeed(&mut sim, 1, balancer);
    sim.advance(ms(20));
    assert_eq!(sim.reloads, [(1, done(2))]);
    assert!(sim.alive.iter().all(|id| sim.versions[id] == 1), "{:?}", sim.versions);
}

#[test]
fn the_end_of_the_cluster_ends_the_newest() {
    let (mut sim, _, _) = Sim::serving(rolling(1));
    reload(&mut sim, 1);
    reload(&mut sim, 2);
    sim.input(Input::Kill);
    sim.advance(ms(50));
    assert_eq!(sim.done, Some(Outcome::Stopped));
    assert_eq!(sim.reloads, [(1, Reloaded::Superseded), (2, Reloaded::Stopped)]);
    sim.input(Input::AbortReload);
    assert_eq!(sim.reloads.len(), 2);
}

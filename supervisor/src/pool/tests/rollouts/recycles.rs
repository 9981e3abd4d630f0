//! Workers that have served for long enough: another is ready before they go, one at a time, and never during a reload.

use crate::pool::tests::sim::{Sim, ms, settings, with};
use crate::pool::{Exit, Input, Measure, Note, RecycleReason, Settings};
use crate::settings::{Drain, MemoryLimit};

fn wearing(workers: u32) -> Settings {
    with(settings(workers), |s| s.stop.drain = Drain::Quiet)
}

/// What is shared could not be told apart.
fn resident(bytes: u64, limit: u64) -> RecycleReason {
    RecycleReason::Memory { bytes, limit, measure: Measure::Resident }
}

#[test]
fn too_much_memory_for_too_long() {
    let (mut sim, balancer, _) =
        Sim::serving(with(wearing(2), |s| s.recycle.memory_limit = Some(MemoryLimit::Bytes(1_000))));
    let worker = sim.worker(0);
    for bytes in [1_001, 1_001, 1_000, 1_001, 1_500] {
        sim.input(Input::Memory { worker, bytes });
    }
    assert_eq!(sim.alive.len(), 2);
    sim.input(Input::Memory { worker, bytes: 2_000 });
    assert_eq!(sim.alive.len(), 3, "another starts first");
    assert!(sim.notes.contains(&Note::Recycled { worker, reason: resident(2_000, 1_000) }));
    let new = *sim.alive.iter().find(|id| id.slot == 0 && **id != worker).unwrap();
    sim.listen_by(new, balancer);
    sim.advance(ms(1_000));
    assert_eq!(sim.worker(0), new);
    assert!(!sim.alive.contains(&worker));
    assert_eq!(sim.versions[&new], 0);
    // What it held is not held against its successor.
    sim.input(Input::Memory { worker: new, bytes: 2_000 });
    assert_eq!(sim.alive.len(), 2);
}

#[test]
fn lives_end_one_at_a_time_and_not_together() {
    let (mut sim, balancer, _) =
        Sim::serving(with(wearing(4), |s| s.recycle.max_lifetime = Some(ms(100_000))));
    let mut born = Vec::new();
    let begin = sim.now;
    for _ in 0..100 {
        sim.advance(ms(1_100));
        assert!(sim.alive.len() <= 5, "more than one at a time");
        for id in sim.alive.clone() {
            if !sim.lanes.values().any(|lane| lane.worker == id) {
                born.push((sim.now - begin).as_millis());
                sim.listen_by(id, balancer);
            }
        }
    }
    assert!(born.len() >= 4, "{born:?}");
    assert!(born[..4].iter().all(|at| (80_000..=105_000).contains(at)), "{born:?}");
    assert!(born.windows(2).any(|pair| pair[1] - pair[0] > 1_100), "all at once: {born:?}");
}

#[test]
fn without_jitter_a_life_lasts_as_long_as_was_said() {
    let life = |percent| {
        let (mut sim, _, _) = Sim::serving(with(wearing(1), |s| {
            s.recycle.max_lifetime = Some(ms(100_000));
            s.recycle.recycle_jitter = percent;
        }));
        let begin = sim.now;
        while sim.alive.len() == 1 {
            assert!(sim.now - begin < ms(101_000), "it is never replaced");
            sim.advance(ms(10));
        }
        (sim.now - begin).as_millis()
    };
    assert!((99_000..=100_010).contains(&life(0)), "{}", life(0));
    assert!((9_000..90_000).contains(&life(90)), "{}", life(90));
}

#[test]
fn so_many_connections_are_enough() {
    let limit = Some(20);
    let (mut sim, balancer, lanes) =
        Sim::serving(with(wearing(1), |s| s.recycle.recycle_after_connections = limit));
    let worker = sim.worker(0);
    let mut given = 0;
    while sim.alive.len() == 1 {
        sim.connect(balancer);
        sim.take(lanes[0]);
        sim.finish(worker);
        sim.advance(ms(1));
        given += 1;
        assert!(given <= 20, "it is never replaced");
    }
    assert!(given >= 16, "it is replaced after {given}");
    let new = *sim.alive.iter().find(|id| **id != worker).unwrap();
    let lane = sim.listen_by(new, balancer);
    sim.advance(ms(1_050));
    assert_eq!(
        (sim.worker(0), sim.alive.len()),
        (new, 1),
        "what the slot was given before is held against it"
    );
    let mut given = 0;
    while sim.alive.len() == 1 {
        sim.connect(balancer);
        sim.take(lane);
        sim.finish(new);
        sim.advance(ms(1));
        given += 1;
    }
    assert!((16..=20).contains(&given), "it is replaced after {given}");
}

#[test]
fn one_that_cannot_be_replaced_goes_on_for_a_while() {
    let (mut sim, _, _) = Sim::serving(with(wearing(1), |s| {
        s.recycle.memory_limit = Some(MemoryLimit::Bytes(1));
        s.recycle.memory_samples = 1
    }));
    let worker = sim.worker(0);
    sim.input(Input::Memory { worker, bytes: 2 });
    let new = *sim.alive.iter().find(|id| **id != worker).unwrap();
    sim.end(new, Exit::Code(1));
    sim.drain();
    assert!(sim.notes.iter().any(|note| matches!(note, Note::NotReplaced { .. })), "{:?}", sim.notes);
    for _ in 0..59 {
        sim.advance(ms(1_000));
        sim.input(Input::Memory { worker, bytes: 2 });
        assert_eq!(sim.alive.len(), 1, "tried again too soon");
    }
    sim.advance(ms(1_000));
    sim.input(Input::Memory { worker, bytes: 2 });
    assert_eq!(sim.alive.len(), 2);
}

#[test]
fn never_during_a_reload() {
    let (mut sim, balancer, _) = Sim::serving(with(wearing(2), |s| {
        s.recycle.memory_limit = Some(MemoryLimit::Bytes(1));
        s.recycle.memory_samples = 1
    }));
    sim.input(Input::Reload { ticket: 1, in_place: false });
    let worker = sim.worker(1);
    sim.input(Input::Memory { worker, bytes: 2 });
    assert_eq!(sim.alive.len(), 3);
    for slot in 0..2 {
        let id = *sim.alive.iter().find(|id| id.slot == slot && id.incarnation == 2).unwrap();
        sim.listen_by(id, balancer);
        sim.advance(ms(1_010));
    }
    assert_eq!(sim.reloads.len(), 1);
    assert_eq!(sim.alive.len(), 2, "it has been replaced as it is");
}

//! Memory that processes share is no reason to replace them, and neither is memory that the next process would hold too.

use crate::ids::{BalancerId, WorkerId};
use crate::pool::tests::sim::{Sim, ms, settings, with};
use crate::pool::{Input, Measure, Note, Output, RecycleReason};
use crate::settings::MemoryLimit;

const LIMIT: u64 = 1_000;

fn serving(workers: u32) -> (Sim, BalancerId) {
    let limited = with(settings(workers), |s| s.recycle.memory_limit = Some(MemoryLimit::Bytes(LIMIT)));
    let (sim, balancer, _) = Sim::serving(limited);
    (sim, balancer)
}

/// A second passes, and a sample finds that this worker holds so much, of which so much counts.
fn sample(sim: &mut Sim, worker: WorkerId, resident: u64, proportional: Option<u64>) {
    sim.advance(ms(1_000));
    sim.proportional = proportional;
    sim.input(Input::Memory { worker, bytes: resident });
}

/// How often it was measured since this was last asked.
fn measures(sim: &mut Sim) -> usize {
    sim.take_orders().iter().filter(|order| matches!(order, Output::MeasureMemory { .. })).count()
}

/// The process that is to take the place of this one.
fn successor(sim: &Sim, worker: WorkerId) -> Option<WorkerId> {
    sim.alive.iter().copied().find(|id| id.slot == worker.slot && *id != worker)
}

/// Samples the worker until it is being replaced, and tells after how many seconds. Its successor then takes its place.
fn replaced_after(sim: &mut Sim, balancer: BalancerId, worker: WorkerId, bytes: u64) -> (u32, WorkerId) {
    for seconds in 1..20_000 {
        sample(sim, worker, bytes, Some(bytes));
        if let Some(new) = successor(sim, worker) {
            sim.listen_by(new, balancer);
            sim.advance(ms(1_000));
            assert_eq!(sim.worker(0), new);
            return (seconds, new);
        }
    }
    panic!("it is never replaced");
}

fn spared(sim: &mut Sim) -> Vec<u64> {
    let pause = |note: Note| match note {
        Note::NoBetter { pause, .. } => Some(pause.as_secs()),
        _ => None,
    };
    sim.take_notes().into_iter().filter_map(pause).collect()
}

#[test]
fn what_is_shared_is_measured_ever_more_rarely_and_told_once() {
    let (mut sim, _) = serving(2);
    let worker = sim.worker(1);
    let mut at = Vec::new();
    for second in 1..=3_000 {
        sample(&mut sim, worker, 3_000, Some(900));
        at.extend((measures(&mut sim) > 0).then_some(second));
    }
    assert_eq!(sim.alive.len(), 2, "it was replaced");
    assert_eq!(at, [3, 63, 183, 423, 903, 1_503, 2_103, 2_703]);
    let told: Vec<Note> = sim.take_notes();
    assert_eq!(told, [Note::SharesMemory { worker, resident: 3_000, own: 900, limit: LIMIT }]);
}

#[test]
fn memory_of_its_own_that_grows_ends_the_pause() {
    let (mut sim, _) = serving(1);
    let worker = sim.worker(0);
    for _ in 0..3 {
        sample(&mut sim, worker, 3_000, Some(900));
    }
    assert_eq!(measures(&mut sim), 1);
    sample(&mut sim, worker, 3_100, Some(1_000));
    assert_eq!(measures(&mut sim), 0, "that much was left to it");
    sample(&mut sim, worker, 3_101, Some(1_001));
    assert!(successor(&sim, worker).is_some());
    let reason = RecycleReason::Memory { bytes: 1_001, limit: LIMIT, measure: Measure::Proportional };
    assert!(sim.notes.contains(&Note::Recycled { worker, reason }), "{:?}", sim.notes);
}

#[test]
fn what_was_shared_and_is_its_own_now_is_found() {
    let (mut sim, _) = serving(1);
    let worker = sim.worker(0);
    for _ in 0..62 {
        sample(&mut sim, worker, 3_000, Some(900));
    }
    assert_eq!(sim.alive.len(), 1);
    sample(&mut sim, worker, 3_000, Some(2_900));
    assert!(successor(&sim, worker).is_some());
}

#[test]
fn where_nothing_tells_all_that_it_holds_counts() {
    let (mut sim, _) = serving(1);
    let worker = sim.worker(0);
    for _ in 0..3 {
        sample(&mut sim, worker, 3_000, None);
    }
    let reason = RecycleReason::Memory { bytes: 3_000, limit: LIMIT, measure: Measure::Resident };
    assert!(sim.notes.contains(&Note::Recycled { worker, reason }), "{:?}", sim.notes);
}

#[test]
fn who_is_no_better_than_the_one_before_is_left_alone_ever_longer() {
    let (mut sim, balancer) = serving(1);
    let mut worker = sim.worker(0);
    let mut after = Vec::new();
    for _ in 0..9 {
        let (seconds, new) = replaced_after(&mut sim, balancer, worker, 2_000);
        after.push(seconds);
        worker = new;
    }
    assert_eq!(after, [3, 61, 121, 241, 481, 961, 1_921, 3_601, 3_601]);
    assert_eq!(spared(&mut sim), [60, 120, 240, 480, 960, 1_920, 3_600, 3_600], "told once of each");
}

#[test]
fn who_serves_well_for_a_while_is_replaced_like_the_first() {
    let (mut sim, balancer) = serving(1);
    let mut worker = sim.worker(0);
    for _ in 0..4 {
        for _ in 0..60 {
            sample(&mut sim, worker, 500, Some(500));
        }
        let (seconds, new) = replaced_after(&mut sim, balancer, worker, 2_000);
        assert_eq!(seconds, 3);
        worker = new;
    }
    assert!(spared(&mut sim).is_empty(), "somebody was held up");
    let (_, new) = replaced_after(&mut sim, balancer, worker, 2_000);
    let (_, new) = replaced_after(&mut sim, balancer, new, 2_000);
    assert_eq!(spared(&mut sim), [60, 120]);
    // One that stays under the limit for so long ends the series.
    for _ in 0..240 {
        sample(&mut sim, new, 500, Some(500));
    }
    let (_, new) = replaced_after(&mut sim, balancer, new, 2_000);
    replaced_after(&mut sim, balancer, new, 2_000);
    assert_eq!(spared(&mut sim), [60]);
}

#[test]
fn one_that_leaks_at_once_is_not_left_alone() {
    let (mut sim, balancer) = serving(1);
    let worker = sim.worker(0);
    let (_, new) = replaced_after(&mut sim, balancer, worker, 1_100);
    for bytes in [1_100, 1_100, 1_100, 1_300, 1_375] {
        sample(&mut sim, new, bytes, Some(bytes));
        assert_eq!(successor(&sim, new), None, "{bytes}");
    }
    sample(&mut sim, new, 1_376, Some(1_376));
    assert!(successor(&sim, new).is_some(), "it grows on");
}

#[test]
fn one_that_loads_as_much_as_the_one_before_is_left_alone() {
    let (mut sim, balancer) = serving(1);
    let worker = sim.worker(0);
    let (_, new) = replaced_after(&mut sim, balancer, worker, 1_700);
    for bytes in [1_001, 1_001, 1_001, 1_300, 1_700, 1_700, 2_125] {
        sample(&mut sim, new, bytes, Some(bytes));
        assert_eq!(successor(&sim, new), None, "{bytes}");
    }
    sample(&mut sim, new, 2_126, Some(2_126));
    assert!(successor(&sim, new).is_some(), "it grows on");
}

#[test]
fn an_answer_that_comes_late_changes_nothing() {
    let (mut sim, _) = serving(2);
    sim.prompt = false;
    let worker = sim.worker(0);
    for _ in 0..9 {
        sample(&mut sim, worker, 3_000, None);
    }
    assert_eq!((measures(&mut sim), sim.pending.len()), (1, 1), "asked once until that is answered");
    sample(&mut sim, worker, LIMIT, None);
    let answer = sim.pending.pop_front().unwrap();
    sim.prompt = true;
    sim.tell(answer);
    sim.drain();
    assert_eq!(sim.alive.len(), 2, "it is under the limit again");
    let gone = WorkerId { incarnation: worker.incarnation + 7, ..worker };
    sim.input(Input::MemoryMeasured { worker: gone, bytes: Some(u64::MAX) });
    assert_eq!(sim.alive.len(), 2);
}

#[test]
fn nothing_is_measured_during_a_reload() {
    let (mut sim, balancer) = serving(2);
    sim.input(Input::Reload { ticket: 1, in_place: false });
    for worker in [sim.worker(0), sim.worker(1)] {
        for _ in 0..4 {
            sim.input(Input::Memory { worker, bytes: 3_000 });
        }
    }
    assert_eq!(measures(&mut sim), 0);
    for slot in 0..2 {
        let id = *sim.alive.iter().find(|id| id.slot == slot && id.incarnation == 2).unwrap();
        sim.listen_by(id, balancer);
        sim.advance(ms(1_010));
    }
    let worker = sim.worker(0);
    for _ in 0..3 {
        sample(&mut sim, worker, 3_000, Some(3_000));
    }
    assert!(successor(&sim, worker).is_some(), "who came by a reload is nobody's successor in this");
}

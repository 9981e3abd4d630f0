//! Suspects that take far too long: who is examined, who hangs, how it is replaced, and how the old process leaves.

use crate::ids::{BalancerId, WorkerId};
use crate::pool::tests::sim::{Sim, ms, settings, with};
use crate::pool::{Change, Exit, Finding, Input, Note, Output, Settings, State, Then};

/// Workers of which the first takes nothing more, from the moment it was given a connection until its lag is this.
pub(super) fn hanging(settings: Settings, lag: u64) -> (Sim, BalancerId, WorkerId) {
    let (mut sim, balancer, _) = Sim::serving(settings);
    sim.advance(ms(20_000));
    sim.connect(balancer);
    lags(&mut sim, &[0], lag);
    let worker = sim.worker(0);
    (sim, balancer, worker)
}

/// The lag of these grows to this, with a look every fifth of a second, while all others take what they get.
pub(super) fn lags(sim: &mut Sim, slots: &[usize], lag: u64) {
    for step in 1..=lag / 200 {
        sim.advance(ms(200));
        let lagging: Vec<_> = slots.iter().map(|slot| sim.worker(*slot)).collect();
        let free: Vec<_> =
            sim.lanes.iter().filter(|(_, lane)| !lagging.contains(&lane.worker)).map(|(id, _)| *id).collect();
        for lane in free {
            while sim.take(lane).is_some() {}
        }
        if step * 200 >= 1_000 {
            sim.look(&slots.iter().map(|slot| (*slot, step * 200)).collect::<Vec<_>>());
        }
    }
}

pub(super) fn hung(sim: &Sim) -> Vec<WorkerId> {
    let hung = sim.notes.iter().filter_map(|note| match note {
        Note::Hung { worker, .. } => Some(*worker),
        _ => None,
    });
    hung.collect()
}

pub(super) fn examined(sim: &mut Sim) -> usize {
    sim.take_orders().iter().filter(|order| matches!(order, Output::Examine { .. })).count()
}

#[test]
fn a_hung_worker_is_replaced_at_once_and_told_to_stop() {
    let (mut sim, _, old) = hanging(settings(2), 29_800);
    assert_eq!((examined(&mut sim), hung(&sim)), (0, vec![]));
    sim.polite = false;
    sim.take_notes();
    sim.take_changes();
    let pid = sim.slot(0).pid();
    sim.advance(ms(200));
    sim.take_orders();
    sim.look(&[(0, 30_000)]);
    let new = WorkerId { incarnation: old.incarnation + 1, ..old };
    assert_eq!(sim.worker(0), new);
    assert!(matches!(sim.slot(0).state(), State::Starting { .. }));
    let orders = sim.take_orders();
    let place = |wanted: &Output| orders.iter().position(|order| order == wanted).expect("ordered");
    let stop = Output::Signal { worker: old, signal: crate::pool::Signal::Stop };
    assert_eq!(place(&Output::Examine { worker: old }), 0);
    assert!(place(&Output::Spawn { worker: new, version: 0 }) < place(&stop), "{orders:?}");
    let (lag, retry_in) = (ms(30_000), Some(ms(0)));
    let (finding, evidence) = (Finding::Busy, "what it was doing".to_owned());
    assert_eq!(
        sim.take_notes()[0],
        Note::Hung { worker: old, lag, finding, evidence, retry_in, then: Then::Replaced }
    );
    assert!(sim.take_changes().contains(&Change::Suspect { worker: old, suspect: false }));
    let Some((id, stop)) = sim.pool.retiring().next() else { panic!("it does not retire") };
    assert_eq!((id, stop.pid), (old, pid));
    assert_eq!(stop.force_at, Some(sim.now + ms(2_000)));
    assert!(!sim.pool.lanes().any(|(_, lane)| lane.worker() == old));
    // It does not stop, so it is killed; the slot is not touched by its end.
    sim.advance(ms(1_999));
    assert_eq!(sim.take_notes(), []);
    sim.advance(ms(1));
    let exit = Exit::Code(1);
    assert_eq!(sim.notes[0], Note::Forced { worker: old, after: ms(2_000) });
    assert!(
        matches!(sim.notes[1], Note::Exited { worker, exit: by, retry_in: None, then: Then::Replaced, .. }
            if worker == old && by == exit),
        "{:?}",
        sim.notes
    );
    assert_eq!((sim.worker(0), sim.pool.retiring().count()), (new, 0));
    sim.take_notes();
    sim.input(Input::Exited { worker: old, exit });
    assert_eq!((sim.notes.len(), sim.worker(0)), (0, new), "it has ended once");
}

#[test]
fn what_was_found_decides() {
    use Finding::{Blocked, Busy, Lock, Starved, Stopped, Traced, Unknown};
    for (finding, by_default, by_choice) in [
        (Busy, true, true),
        (Stopped, true, true),
        (Lock, true, true),
        (Blocked, false, true),
        (Unknown, false, true),
        (Starved, false, false),
        (Traced, false, false),
    ] {
        for (hang_explicit, expected) in [(false, by_default), (true, by_choice)] {
            let (mut sim, _, _) = hanging(
                with(settings(2), |s| s.health.hang_limit = hang_explicit.then_some(Some(ms(30_000)))),
                29_800,
            );
            sim.finding = finding;
            for lag in [30_000, 30_200, 30_400] {
                sim.advance(ms(200));
                sim.look(&[(0, lag)]);
            }
            assert_eq!(!hung(&sim).is_empty(), expected, "{finding:?}, chosen: {hang_explicit}");
            // What a debugger holds is its own master again for as long as the limit before anybody asks anew.
            let once = expected || finding == Traced;
            assert_eq!(examined(&mut sim), if once { 1 } else { 3 }, "{finding:?}");
        }
    }
}

#[test]
fn a_suspect_for_which_nobody_waits_is_left_alone() {
    let (mut sim, balancer, _) = Sim::serving(settings(2));
    sim.advance(ms(20_000));
    lags(&mut sim, &[0], 40_000);
    assert_eq!((examined(&mut sim), hung(&sim)), (0, vec![]));
    // When the others cannot keep up, it is missed.
    (0..3).for_each(|_| sim.connect(balancer));
    sim.advance(ms(200));
    sim.look(&[(0, 40_200)]);
    assert_eq!(hung(&sim).len(), 1);
}

#[test]
fn a_stuck_lane_is_enough() {
    let (mut sim, balancer, lanes) = Sim::serving(settings(2));
    sim.connect(balancer);
    sim.finding = Finding::Stopped;
    let old = sim.worker(0);
    for _ in 0..149 {
        sim.advance(ms(200));
        while sim.take(lanes[1]).is_some() {}
        sim.look(&[]);
    }
    assert_eq!(hung(&sim), []);
    sim.advance(ms(200));
    sim.look(&[]);
    assert_eq!(hung(&sim), [old]);
}

#[test]
fn one_at_a_time_is_taken_down() {
    let (mut sim, balancer, _) = Sim::serving(settings(5));
    sim.advance(ms(20_000));
    (0..5).for_each(|_| sim.connect(balancer));
    lags(&mut sim, &[0, 1], 31_000);
    assert_eq!(hung(&sim).len(), 1);
    let slot = hung(&sim)[0].slot as usize;
    // Running is what ends it.
    sim.listen(slot, balancer);
    lags(&mut sim, &[1 - slot], 31_000);
    assert_eq!(hung(&sim).len(), 2);
    // So is an early end.
    let (mut sim, balancer, _) = Sim::serving(settings(5));
    sim.advance(ms(20_000));
    (0..5).for_each(|_| sim.connect(balancer));
    lags(&mut sim, &[0, 1], 31_000);
    let slot = hung(&sim)[0].slot as usize;
    sim.exit(slot);
    sim.look(&[(1 - slot, 31_200)]);
    assert_eq!(hung(&sim).len(), 2);
}

#[test]
fn who_is_said_to_be_unwell_is_restarted_and_counts_with_those_that_hang() {
    let (mut sim, balancer, _) = Sim::serving(settings(4));
    sim.advance(ms(20_000));
    sim.polite = false;
    let say = |sim: &mut Sim, slot: usize| {
        let (worker, cause) = (sim.worker(slot), "is silent".to_owned());
        sim.input(Input::Unwell { worker, cause });
        sim.slot(slot).is_stopping()
    };
    assert!(say(&mut sim, 0));
    let worker = sim.worker(0);
    let cause = "is silent".to_owned();
    assert!(sim.notes.contains(&Note::Unwell { worker, cause }), "{:?}", sim.notes);
    assert!(sim.slot(0).is_replacing());
    // One at a time; and not before the next process runs.
    assert!(!say(&mut sim, 1));
    sim.exit(0);
    assert_eq!(sim.worker(0).incarnation, worker.incarnation + 1);
    assert!(!say(&mut sim, 1) && !say(&mut sim, 0));
    sim.listen(0, balancer);
    assert!(say(&mut sim, 1));
    // None at all.
    let (mut sim, _, _) = Sim::serving(with(settings(4), |s| s.health.health_max_unavailable = Some(0)));
    assert!(!say(&mut sim, 0));
}

#[test]
fn a_late_look_and_an_answer_nobody_asked_for_take_nobody_down() {
    let (mut sim, _, worker) = hanging(settings(2), 29_800);
    sim.advance(ms(200));
    let answer = || Input::Examined { worker, finding: Finding::Busy, evidence: String::new() };
    sim.input(answer());
    sim.input(Input::Late);
    sim.look(&[(0, 30_200)]);
    sim.input(answer());
    assert_eq!(hung(&sim), []);
    // An answer that comes when it has caught up.
    sim.prompt = false;
    sim.advance(ms(200));
    sim.look(&[(0, 30_400)]);
    assert_eq!(examined(&mut sim), 1);
    sim.prompt = true;
    for input in std::mem::take(&mut sim.pending) {
        if !matches!(input, Input::Examined { .. }) {
            sim.input(input);
        }
    }
    let lane = *sim.lanes.keys().next().expect("open");
    while sim.take(lane).is_some() {}
    for _ in 0..2 {
        sim.advance(ms(200));
        sim.look(&[(0, 0)]);
    }
    sim.input(answer());
    assert_eq!(hung(&sim), []);
}

#[test]
fn without_a_limit_nobody_hangs() {
    let (mut sim, _, _) = hanging(with(settings(2), |s| s.health.hang_limit = Some(None)), 60_000);
    assert_eq!((examined(&mut sim), hung(&sim)), (0, vec![]));
}

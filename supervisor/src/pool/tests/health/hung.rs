//! Workers that were found to hang: what their slot does, and how the old process leaves.

use super::hangs::{hanging, lags};
use crate::pool::tests::sim::{Sim, ms, settings, with};
use crate::pool::{Input, Note, Outcome, Reason, State, Then, WorkerCommand};

#[test]
fn the_budget_counts_it_and_the_back_off_too() {
    let (sim, _, worker) = hanging(with(settings(2), |s| s.restart.respawn = 0), 30_000);
    assert!(matches!(
        sim.notes.iter().find(|note| matches!(note, Note::Hung { .. })),
        Some(Note::Hung { retry_in: None, .. })
    ));
    assert!(matches!(sim.slot(0).state(), State::Standby { due: None, reason: Reason::BudgetSpent }));
    let spent = |note: &Note| matches!(note, Note::Exited { worker: by, then: Then::BudgetSpent, .. } if *by == worker);
    assert!(sim.notes.iter().any(spent), "{:?}", sim.notes);
    // An early end waits like any other.
    let quick = with(settings(2), |s| s.restart.min_uptime = ms(100_000));
    let (mut sim, _, worker) = hanging(quick, 30_000);
    assert!(matches!(sim.slot(0).state(), State::Standby { due: Some(_), .. }));
    sim.advance(ms(200));
    assert_eq!(sim.worker(0).incarnation, worker.incarnation + 1);
}

#[test]
fn who_leaves_is_reached_by_every_end() {
    let leaving = || {
        let (mut sim, _, _) = hanging(settings(3), 29_800);
        sim.polite = false;
        sim.advance(ms(200));
        sim.look(&[(0, 30_000)]);
        assert_eq!(sim.pool.retiring().count(), 1);
        sim.take_orders();
        sim.take_notes();
        sim
    };
    let mut sim = leaving();
    sim.command(0, WorkerCommand::ForceStop);
    assert!(sim.pool.retiring().next().is_none() && !sim.slot(0).is_live());

    let mut sim = leaving();
    sim.input(Input::Kill);
    assert_eq!((sim.done, sim.alive.len()), (Some(Outcome::Stopped), 0));

    // A cluster at rest but for one that leaves is not at rest.
    let mut sim = leaving();
    sim.input(Input::Stop);
    for slot in 0..3 {
        sim.exit(slot);
    }
    assert_eq!((sim.done, sim.pool.count_active_workers()), (None, 0));
    sim.advance(ms(2_000));
    assert_eq!(sim.done, Some(Outcome::Stopped));
    assert!(sim.alive.is_empty() && !sim.step());

    // A slot that is scaled away is there until it has left.
    let mut sim = leaving();
    sim.input(Input::Scale { workers: 2 });
    sim.input(Input::Scale { workers: 1 });
    sim.exit(1);
    sim.exit(2);
    assert_eq!(sim.pool.count_workers(), 1);
    sim.input(Input::Kill);
    assert_eq!(sim.done, Some(Outcome::Stopped));
}

#[test]
fn a_slot_that_is_scaled_away_stays_until_who_leaves_it_is_gone() {
    let (mut sim, balancer, _) = Sim::serving(settings(3));
    sim.advance(ms(20_000));
    (0..3).for_each(|_| sim.connect(balancer));
    sim.polite = false;
    lags(&mut sim, &[2], 30_000);
    assert_eq!(sim.pool.retiring().count(), 1);
    sim.input(Input::Scale { workers: 2 });
    sim.exit(2);
    assert_eq!(sim.pool.count_workers(), 3);
    sim.input(Input::Scale { workers: 3 });
    sim.input(Input::Scale { workers: 2 });
    sim.exit(2);
    sim.advance(ms(2_000));
    assert_eq!((sim.pool.count_workers(), sim.pool.retiring().count()), (2, 0));
}

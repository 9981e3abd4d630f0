//! Starting and replacing workers: boot slots, delays, budgets, and names of the past.

use crate::ids::WorkerId;
use crate::pool::tests::sim::{Fate, Sim, ms, settings, with};
use crate::pool::{Exit, Input, Note, Outcome, Output, Reason, State, Then, Timer};

fn spawned(sim: &mut Sim) -> Vec<u32> {
    let spawns = |order| match order {
        Output::Spawn { worker, .. } => Some(worker.slot),
        _ => None,
    };
    sim.take_orders().into_iter().filter_map(spawns).collect()
}

#[test]
fn no_more_workers_boot_at_once_than_there_are_slots() {
    let mut sim = Sim::new(with(settings(4), |s| s.max_starting = 2));
    sim.input(Input::Start);
    assert_eq!(spawned(&mut sim), [0, 1]);
    // One that is ready leaves its slot to the next; one that exits to the one after it.
    let balancer = sim.open();
    sim.listen(1, balancer);
    assert_eq!(spawned(&mut sim), [2]);
    sim.exit(0);
    assert_eq!(spawned(&mut sim), [3]);
    // Now 2 and 3 boot, and 0 waits for its delay and then for a slot.
    sim.advance(ms(1_000));
    assert!(spawned(&mut sim).is_empty());
    sim.listen(2, balancer);
    assert_eq!(spawned(&mut sim), [0]);
    assert_eq!(sim.worker(0), WorkerId { slot: 0, incarnation: 2 });
}

#[test]
fn a_boot_slot_is_given_up_after_a_while() {
    let mut sim = Sim::new(with(settings(2), |s| s.max_starting = 1));
    sim.input(Input::Start);
    assert_eq!(spawned(&mut sim), [0]);
    assert_eq!(sim.pool.next_timer().map(|(_, timer)| timer), Some(Timer::Boot));
    sim.advance(ms(4_999));
    assert!(spawned(&mut sim).is_empty());
    sim.advance(ms(1));
    assert_eq!(spawned(&mut sim), [1]);
    assert!(matches!(sim.slot(0).state(), State::Starting { .. }));
}

#[test]
fn who_has_waited_longest_gets_the_next_boot_slot() {
    let mut sim = Sim::new(with(settings(3), |s| s.max_starting = 1));
    sim.input(Input::Start);
    let balancer = sim.open();
    for slot in 0..3 {
        sim.listen(slot, balancer);
    }
    sim.advance(ms(10_000));
    sim.exit(2);
    sim.take_orders();
    sim.exit(1);
    sim.advance(ms(1));
    sim.exit(0);
    sim.listen(2, balancer);
    assert_eq!(spawned(&mut sim), [1]);
}

#[test]
fn a_worker_that_never_listens_counts_as_running() {
    let mut sim = Sim::new(settings(1));
    sim.input(Input::Start);
    let worker = sim.worker(0);
    sim.advance(ms(29_999));
    assert_eq!(sim.pool.count_running_workers(), 0);
    sim.take_notes();
    sim.advance(ms(1));
    assert_eq!(sim.take_notes(), [Note::NeverListened { worker, after: ms(30_000) }]);
    assert_eq!(sim.pool.count_running_workers(), 1);
    sim.drive_bounded();
}

#[test]
fn the_first_lane_makes_a_worker_ready() {
    let mut sim = Sim::new(settings(1));
    sim.input(Input::Start);
    let worker = sim.worker(0);
    sim.advance(ms(70));
    let balancer = sim.open();
    sim.take_notes();
    sim.listen(0, balancer);
    sim.listen(0, balancer);
    assert_eq!(
        sim.take_notes(),
        [Note::Listening { worker, balancer }, Note::Ready { worker, after: ms(70) }]
    );
}

#[test]
fn an_early_death_is_followed_by_a_doubling_delay_and_a_late_one_by_none() {
    let (mut sim, balancer, _) = Sim::serving(settings(1));
    for nominal in [100, 200, 400] {
        sim.exit(0);
        let Some(Note::Exited { retry_in: Some(wait), then: Then::Restart, .. }) = sim.take_notes().pop()
        else {
            panic!("the exit is noted last");
        };
        assert!(wait >= ms(nominal * 8 / 10) && wait <= ms(nominal * 12 / 10), "{wait:?}");
        assert!(spawned(&mut sim).is_empty());
        assert_eq!(sim.pool.next_deadline(), Some(sim.now + wait));
        sim.advance(wait - ms(1));
        assert!(spawned(&mut sim).is_empty());
        sim.advance(ms(1));
        assert_eq!(spawned(&mut sim), [0]);
        sim.listen(0, balancer);
        sim.take_notes();
    }
    sim.advance(ms(10_000));
    sim.exit(0);
    let uptime = ms(10_000);
    let exit = Exit::Code(1);
    let worker = WorkerId { slot: 0, incarnation: 4 };
    let retry_in = Some(ms(0));
    assert!(sim.notes.contains(&Note::Exited { worker, exit, uptime, retry_in, then: Then::Restart }));
    assert_eq!(spawned(&mut sim), [0]);
}

#[test]
fn a_failed_spawn_counts_as_an_early_death() {
    let mut sim = Sim::new(with(settings(1), |s| s.restart.respawn = 1));
    sim.prompt = false;
    sim.input(Input::Start);
    let fail = |sim: &mut Sim| {
        sim.pending.clear();
        let (worker, error) = (sim.worker(0), "no such file".to_owned());
        sim.input(Input::SpawnFailed { worker, error });
        match sim.take_notes().pop() {
            Some(Note::SpawnFailed { retry_in, .. }) => retry_in,
            note => panic!("{note:?}"),
        }
    };
    let wait = fail(&mut sim).expect("the budget has one restart");
    sim.advance(wait);
    assert_eq!(fail(&mut sim), None);
    assert_eq!(sim.done, Some(Outcome::Exhausted));
}

#[test]
fn when_every_budget_is_spent_the_cluster_ends_and_refuses_what_it_holds() {
    let (mut sim, balancer, _) = Sim::serving(with(settings(2), |s| s.restart.respawn = 0));
    for _ in 0..5 {
        sim.connect(balancer);
    }
    sim.take_orders();
    sim.exit(1);
    assert!(matches!(sim.slot(1).state(), State::Standby { reason: Reason::BudgetSpent, .. }));
    assert_eq!(sim.done, None);
    sim.exit(0);
    assert_eq!(sim.done, Some(Outcome::Exhausted));
    let orders = sim.take_orders();
    assert!(orders.contains(&Output::CloseBalancer { balancer }));
    assert_eq!(orders.last(), Some(&Output::Done(Outcome::Exhausted)), "what came back was refused before");
    assert!(sim.conns.values().all(|fate| *fate == Fate::Refused));
    assert_eq!(sim.conns.len(), 5);
    assert!(!sim.step());
}

#[test]
fn a_dead_incarnation_has_no_effect() {
    let (mut sim, balancer, _) = Sim::serving(settings(1));
    let dead = sim.worker(0);
    sim.exit(0);
    sim.input(Input::Exited { worker: dead, exit: Exit::Code(0) });
    sim.advance(ms(200));
    sim.listen(0, balancer);
    sim.take_orders();
    sim.take_notes();
    sim.input(Input::Exited { worker: dead, exit: Exit::Code(0) });
    sim.input(Input::Spawned { worker: dead, pid: 4 });
    sim.input(Input::SpawnFailed { worker: dead, error: String::new() });
    sim.input(Input::Start);
    assert_eq!((sim.take_orders(), sim.take_notes()), (vec![], vec![]));
    assert_eq!(sim.pool.count_running_workers(), 1);
}

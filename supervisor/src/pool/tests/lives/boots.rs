//! When a boot is over without a listen: looks that find a process waiting, or one that has had its time on the processor;
//! and the delay after which a program that does not listen is ready.

use crate::pool::tests::sim::{Sim, ms, settings, with};
use crate::pool::{Activity, BootEnd, Input, Note, Output, Settings, Timer};
use crate::settings::Ready;
use std::time::Duration;

fn spawned(sim: &mut Sim) -> Vec<u32> {
    let spawns = |order| match order {
        Output::Spawn { worker, .. } => Some(worker.slot),
        _ => None,
    };
    sim.take_orders().into_iter().filter_map(spawns).collect()
}

fn looks(sim: &mut Sim) -> usize {
    sim.take_orders().iter().filter(|order| matches!(order, Output::LookAtBoot { .. })).count()
}

fn asleep(running: u64) -> Option<Activity> {
    Some(Activity { spent: ms(running), running: ms(running), asleep: true })
}

fn computing(spent: u64) -> Option<Activity> {
    Some(Activity { spent: ms(spent), running: ms(spent), asleep: false })
}

/// A cluster of which one worker boots and the others wait for that.
fn one_by_one(workers: u32) -> Sim {
    let mut sim = Sim::new(with(settings(workers), |s| s.max_starting = 1));
    sim.input(Input::Start);
    sim
}

#[test]
fn ten_that_wait_follow_each_other_at_once() {
    let mut sim = one_by_one(10);
    sim.activity = asleep(40);
    sim.advance(ms(2_000));
    assert_eq!(spawned(&mut sim), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let waits =
        |note: &&Note| matches!(note, Note::BootOver { after, end: BootEnd::Waits, .. } if *after == ms(150));
    assert_eq!(sim.notes.iter().filter(waits).count(), 9, "{:?}", sim.notes);
    // Nobody waits for the last.
    looks(&mut sim);
    sim.advance(ms(3_000));
    assert_eq!(looks(&mut sim), 0);
}

#[test]
fn two_quiet_looks_end_a_boot_when_they_are_far_enough_apart() {
    let mut sim = one_by_one(2);
    sim.activity = computing(30);
    sim.advance(ms(100));
    sim.activity = asleep(30);
    sim.advance(ms(149));
    assert_eq!(spawned(&mut sim), [0]);
    sim.advance(ms(1));
    assert_eq!(spawned(&mut sim), [1]);
}

#[test]
fn who_has_run_between_two_looks_does_not_wait() {
    let mut sim = one_by_one(2);
    for round in 0..40 {
        sim.activity = asleep(30 + round);
        sim.advance(ms(50));
    }
    assert_eq!(spawned(&mut sim), [0]);
    // Nor who was awake at one of them.
    sim.activity = asleep(100);
    sim.advance(ms(100));
    sim.activity = computing(100);
    sim.advance(ms(50));
    sim.activity = asleep(100);
    sim.advance(ms(100));
    assert!(spawned(&mut sim).is_empty());
    sim.advance(ms(50));
    assert_eq!(spawned(&mut sim), [1]);
}

#[test]
fn one_that_computes_keeps_its_slot_until_it_listens() {
    let mut sim = one_by_one(2);
    sim.activity = computing(4_999);
    // Long after `boot_slot`, as on a machine that has other work.
    sim.advance(ms(20_000));
    assert_eq!(spawned(&mut sim), [0]);
    let balancer = sim.open();
    sim.listen(0, balancer);
    assert_eq!(spawned(&mut sim), [1]);
    assert!(!sim.notes.iter().any(|note| matches!(note, Note::BootOver { .. })), "{:?}", sim.notes);
}

#[test]
fn one_that_has_had_its_time_on_the_processor_has_booted() {
    let mut sim = one_by_one(2);
    sim.activity = computing(4_999);
    sim.advance(ms(1_000));
    assert_eq!(spawned(&mut sim), [0]);
    sim.activity = computing(5_000);
    sim.advance(ms(50));
    assert_eq!(spawned(&mut sim), [1]);
    let end = BootEnd::Spent(ms(5_000));
    assert!(sim.notes.iter().any(|note| matches!(note, Note::BootOver { end: found, .. } if *found == end)));
}

#[test]
fn what_cannot_be_seen_is_not_taken_for_waiting() {
    let mut sim = one_by_one(2);
    for _ in 0..49 {
        sim.activity = asleep(10);
        sim.advance(ms(50));
        sim.activity = None;
        sim.advance(ms(50));
    }
    assert_eq!(spawned(&mut sim), [0]);
    // Last seen to boot at 4850 ms.
    sim.advance(ms(4_949));
    assert!(spawned(&mut sim).is_empty());
    sim.advance(ms(1));
    assert_eq!(spawned(&mut sim), [1]);
    let unseen = |note: &Note| matches!(note, Note::BootOver { end: BootEnd::Unseen, .. });
    assert!(sim.notes.iter().any(unseen), "{:?}", sim.notes);
}

#[test]
fn nobody_is_looked_at_while_nobody_waits() {
    let mut sim = Sim::new(settings(3));
    sim.input(Input::Start);
    sim.advance(ms(4_000));
    assert_eq!(looks(&mut sim), 0);
    assert_eq!(sim.pool.next_timer().map(|(_, timer)| timer), Some(Timer::BootSlot));
}

fn by_delay() -> Settings {
    with(settings(1), |s| s.readiness.ready = Some(Ready::Delay(ms(2_000))))
}

fn ready_after(sim: &mut Sim) -> Option<Duration> {
    sim.take_notes().into_iter().find_map(|note| match note {
        Note::Ready { after, .. } => Some(after),
        _ => None,
    })
}

#[test]
fn the_delay_of_one_that_never_listens_counts_from_its_start() {
    let mut sim = Sim::new(by_delay());
    sim.activity = asleep(10);
    sim.input(Input::Start);
    sim.advance(ms(1_999));
    assert_eq!((ready_after(&mut sim), looks(&mut sim)), (None, 0));
    sim.advance(ms(1_000));
    assert_eq!(ready_after(&mut sim), Some(ms(2_100)));
    looks(&mut sim);
    sim.advance(ms(1_000));
    assert_eq!(looks(&mut sim), 0, "nothing depends on it any more");
}

#[test]
fn the_delay_of_one_that_listens_counts_from_there() {
    // It computes for longer than the delay before it listens.
    let mut sim = Sim::new(by_delay());
    sim.activity = computing(1_000);
    sim.input(Input::Start);
    sim.advance(ms(3_000));
    let balancer = sim.open();
    sim.listen(0, balancer);
    sim.activity = asleep(1_000);
    sim.advance(ms(1_999));
    assert_eq!(ready_after(&mut sim), None, "the shell tells when");
    let worker = sim.worker(0);
    sim.input(Input::Ready { worker });
    assert_eq!(ready_after(&mut sim), Some(ms(4_999)));
}

#[test]
fn one_that_computes_for_ever_is_ready_when_its_boot_is_over() {
    let mut sim = Sim::new(by_delay());
    sim.activity = computing(4_000);
    sim.input(Input::Start);
    sim.advance(ms(3_000));
    assert_eq!(ready_after(&mut sim), None);
    sim.activity = computing(6_000);
    sim.advance(ms(50));
    assert_eq!(ready_after(&mut sim), Some(ms(3_050)));
    // One that cannot be seen has had enough time to boot, too.
    let mut sim = Sim::new(by_delay());
    sim.input(Input::Start);
    sim.advance(ms(4_999));
    assert_eq!(ready_after(&mut sim), None);
    sim.advance(ms(51));
    assert_eq!(ready_after(&mut sim), Some(ms(5_000)));
}

//! Tests of the pulse page: what one side writes and the other reads.

extern crate std;

use super::*;
use core::sync::atomic::AtomicU64;
use std::boxed::Box;
use std::vec::Vec;

fn page() -> Box<Page> {
    let free = |_| Record {
        key: AtomicU64::new(0),
        since: AtomicU64::new(0),
        worst: AtomicU64::new(0),
        loops: AtomicU64::new(0),
        accepted: AtomicU64::new(0),
        tid: AtomicU32::new(0),
        state: AtomicU32::new(0),
        serving: AtomicU32::new(0),
        set: AtomicU32::new(0),
        ran: AtomicU32::new(0),
        bell: AtomicU32::new(0),
    };
    Box::new(Page {
        magic: AtomicU32::new(0),
        layout: AtomicU32::new(0),
        pid: AtomicU32::new(0),
        unseen: AtomicU32::new(0),
        head: [0; 12],
        records: core::array::from_fn(free),
    })
}

#[test]
fn fits_one_page() {
    assert_eq!((size_of::<Page>(), size_of::<Record>()), (SIZE, 64));
}

#[test]
fn a_thread_keeps_its_record_and_the_64th_has_none() {
    let page = page();
    for key in 1..=THREADS as u64 {
        assert!(page.record(key << 6, || key as u32).is_some());
    }
    assert!(page.record(1 << 20, || 0).is_none());
    page.record(9 << 6, || unreachable!()).unwrap().accepted();
    for key in 1 << 20..(1 << 20) + THREADS as u64 - 1 {
        assert!(page.serving_record(key << 6, || 1).unwrap().look().is_some_and(|look| !look.serving));
        page.serving_record(key << 6, || 1).unwrap().accepted();
    }
    assert!(page.serving_record(1, || 1).is_none(), "all serve");
    let page = self::page();
    page.record(5 << 6, || 5);
    page.record(5 << 6, || unreachable!()).unwrap().leave(7);
    let running: Vec<PulseLook> = page.looks().filter(|look| look.running).collect();
    assert_eq!(running.iter().map(|look| (look.tid, look.since)).collect::<Vec<_>>(), [(5, 7)]);
}

#[test]
fn the_records_of_threads_that_have_ended_are_free_again() {
    let page = page();
    for tid in 1..=THREADS as u32 {
        let record = page.record(u64::from(tid) << 6, || tid).unwrap();
        record.enter(1);
        record.leave(2);
        record.accepted();
    }
    assert!(page.serving_record(1 << 20, || 99).is_none(), "no room");
    page.record(7 << 6, || unreachable!()).unwrap().enter(3);
    assert!(!page.free_ended(|_| false));
    assert!(page.free_ended(|tid| tid > 5));
    let left: Vec<u32> = page.looks().map(|look| look.tid).collect();
    assert_eq!(left.len(), 6, "five live, and one waits");
    assert!(left.contains(&7), "a thread that waits may have kept an older one's tid: {left:?}");
    let fresh = page.record(1 << 20, || 99).unwrap().look().unwrap();
    assert_eq!((fresh.tid, fresh.serving, fresh.running), (99, false, false));
}

#[test]
fn a_record_that_is_taken_over_says_nothing_of_its_new_owner() {
    let page = page();
    for tid in 1..=THREADS as u32 {
        page.record(u64::from(tid) << 6, || tid).unwrap().enter(1);
    }
    let look = page.serving_record(1 << 20, || 99).unwrap().look().unwrap();
    assert_eq!((look.tid, look.running, look.away(50)), (99, false, 0));
}

#[test]
fn threads_without_a_record_are_counted_while_they_wait() {
    let page = page();
    page.enter_unseen();
    page.enter_unseen();
    page.leave_unseen();
    assert!(page.has_unseen());
    page.leave_unseen();
    assert!(!page.has_unseen());
}

#[test]
fn a_thread_that_waits_for_connections_may_be_said_to_serve() {
    let page = page();
    let record = page.record(64, || 7).unwrap();
    assert_eq!(page.looks().next().unwrap().set, None);
    record.enter_set(1, 0);
    page.serves(8);
    let look = page.looks().next().unwrap();
    assert_eq!((look.set, look.serving), (Some(0), false));
    page.serves(7);
    assert!(page.looks().next().unwrap().serving);
}

#[test]
fn what_a_thread_waits_on_is_told_while_it_waits() {
    let page = page();
    let record = page.record(64, || 7).unwrap();
    let look = || page.looks().next().unwrap();
    record.enter_set(1, 5);
    assert_eq!((look().waits_on, look().set), (Some(WaitsOn::Set(5)), Some(5)));
    record.leave(2);
    assert_eq!((look().waits_on, look().set), (None, Some(5)), "it is remembered");
    record.enter(3);
    assert_eq!((look().waits_on, look().set), (None, Some(5)), "on what is not known");
    record.enter_lanes(4, LaneMask::default());
    assert_eq!(look().waits_on, None, "on no lane");
    let mut lanes = LaneMask::default();
    [7, 1_001].into_iter().for_each(|fd| lanes.add(fd));
    record.enter_lanes(5, lanes);
    let Some(WaitsOn::Lanes(mask)) = look().waits_on else { panic!("{:?}", look()) };
    assert!(mask.may_hold(7) && mask.may_hold(1_001) && !mask.may_hold(8));
    assert_eq!((look().set, look().blocks), (None, false));
    record.enter_accept(6, 7, true);
    assert!(record.blocks() && look().blocks && look().waits_on.is_some());
    record.leave(7);
    assert!(!look().blocks && look().waits_on.is_none());
}

#[test]
fn who_serves_and_is_asked_answers_once() {
    let page = page();
    let record = page.record(64, || 7).unwrap();
    page.ask(7, 5);
    assert_eq!(record.answer(), None, "it serves nobody");
    record.accepted();
    page.ask(8, 5);
    assert_eq!((record.is_asked(), record.answer()), (false, None), "somebody else was asked");
    page.ask(7, 0);
    page.ask(7, 5);
    assert!(record.is_asked());
    assert_eq!((record.answer(), record.answer()), (Some(5), None));
    page.ask(7, u32::MAX - 1);
    assert_eq!(record.answer(), None, "no descriptor");
}

#[test]
fn an_accept_is_the_wait_of_who_blocks_there_or_waits_elsewhere_in_sight() {
    let page = page();
    let [blocks, unseen, told] = [64, 128, 192].map(|key| page.record(key, || 1).unwrap());
    assert!(blocks.may_wait_in_accept(|| true));
    assert!(blocks.may_wait_in_accept(|| unreachable!("it is asked once")));
    assert!(!unseen.may_wait_in_accept(|| false));
    assert!(!unseen.may_wait_in_accept(|| unreachable!("it is asked once")));
    told.waits_in_calls();
    assert!(told.may_wait_in_accept(|| unreachable!("it is known to wait elsewhere")));
    unseen.waits_in_calls();
    assert!(unseen.may_wait_in_accept(|| false), "it has found a wait");
}

#[test]
fn the_worst_run_of_serving_threads_is_taken_once() {
    let page = page();
    let record = page.record(64, || 1).unwrap();
    record.enter(100);
    record.leave(200);
    record.enter(900);
    assert_eq!(page.take_worst(), 0, "it serves nobody");
    record.accepted();
    assert_eq!(page.take_worst(), 700);
    assert_eq!(page.take_worst(), 0);
    let look = page.looks().next().unwrap();
    assert_eq!((look.running, look.since, look.loops, look.accepted), (false, 900, 2, 1));
    record.leave(1 << 20);
    record.enter(3 << 20);
    let look = page.looks().next().unwrap();
    assert_eq!(look.ran, 2 << 10, "runs of less than the unit are no time");
    record.leave(4 << 20);
    let running = page.looks().next().unwrap();
    assert_eq!((running.ran, running.ran_until(5 << 20)), (2 << 10, 3 << 10));
    assert_eq!((running.away(5 << 20), running.away(0), look.away(5 << 20)), (1 << 20, 0, 0));
    assert_eq!(ran_between(u32::MAX, 2 << 10).as_nanos(), (2 << 20) + (1 << 10));
}

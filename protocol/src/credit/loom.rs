//! The pairs of the page in which each side writes one word and then reads the other's, on atomics for which loom tries every
//! order that the memory model permits. Run by `cargo xtask loom`. loom takes SeqCst loads and stores for acquire and
//! release ones and knows only SeqCst fences: what holds here holds by the fences.

extern crate std;

use super::turn::At;
use super::*;
use ::loom::thread;
use std::sync::Arc;

fn page() -> Arc<LanePage> {
    Arc::new(LanePage::blank())
}

#[test]
fn a_used_single_rings_or_is_seen() {
    ::loom::model(|| {
        let page = page();
        let worker = {
            let page = page.clone();
            thread::spawn(move || page.use_single())
        };
        page.ask_to_ring();
        let seen = page.used() == 1;
        let rung = worker.join().unwrap();
        assert!(rung || seen, "the supervisor sleeps and the use is not told");
    });
}

#[test]
fn two_used_singles_ring_or_are_seen() {
    ::loom::model(|| {
        let page = page();
        let workers = [(); 2].map(|()| {
            let page = page.clone();
            thread::spawn(move || page.use_single())
        });
        page.ask_to_ring();
        let seen = page.used();
        let rung = workers.map(|worker| worker.join().unwrap());
        assert!(rung.contains(&true) || seen == 2, "a use is not told");
        assert!(rung != [true, true], "rung twice for one request");
    });
}

#[test]
fn a_shut_credit_rings_or_is_found_shut() {
    ::loom::model(|| {
        let page = page();
        page.open(1, NO_CEILING);
        let workers = [(); 2].map(|()| {
            let page = page.clone();
            thread::spawn(move || page.shut(1))
        });
        let open = page.ask_to_ring();
        let shut = workers.map(|worker| worker.join().unwrap());
        let rung = shut.contains(&Shut::Done { ring: true });
        let done = shut.iter().filter(|shut| **shut != Shut::Not).count();
        assert_eq!(done, 1, "it is shut once");
        assert_eq!(rung, open, "who finds it open is rung, who finds it shut is not");
    });
}

#[test]
fn a_mark_is_seen_or_sees_the_revoke() {
    revoked_while(1, false);
}

#[test]
fn a_mark_that_stood_already_is_seen_or_sees_the_revoke() {
    revoked_while(1, true);
}

#[test]
fn a_mark_without_a_place_is_seen_or_sees_the_revoke() {
    revoked_while(3, false);
}

/// The thread whose id is `thread` is about to accept while the credit is revoked. Two marks stand where it finds no place.
fn revoked_while(thread: u32, marked: bool) {
    ::loom::model(move || {
        let page = page();
        page.open(1, NO_CEILING);
        let others = if thread as usize > MARKS { MARKS } else { 0 };
        for other in 0..others {
            page.marks.0[other].store(100, Ordering::Relaxed);
        }
        if marked {
            let _left = page.mark(thread);
        }
        let worker = {
            let page = page.clone();
            thread::spawn(move || {
                let mut turn = Turn::default();
                // It stands before its accept, or before a record of which it knows nothing.
                matches!((turn.next(&page, || thread), &turn.at), (Do::Accept { open: true }, At::Accept(..)))
            })
        };
        page.revoke();
        let seen = page.marked().count() > others;
        let accepts = worker.join().unwrap();
        assert!(!accepts || seen, "it accepts after the revoke, and its mark was not seen");
    });
}

#[test]
fn a_mark_is_seen_or_sees_the_next_series() {
    ::loom::model(|| {
        let page = page();
        let worker = {
            let page = page.clone();
            thread::spawn(move || {
                let _left = page.mark(1);
                page.may_use_single(0)
            })
        };
        page.begin_series(1);
        let seen = page.marked().count() > 0;
        let accepts = worker.join().unwrap();
        assert!(!accepts || seen, "it accepts by a single that was written off, and its mark was not seen");
    });
}

#[test]
fn what_was_accepted_is_counted_or_marked() {
    ::loom::model(|| {
        let page = page();
        page.open(1, 1);
        let worker = {
            let page = page.clone();
            thread::spawn(move || {
                let mut turn = Turn::default();
                let accepts = turn.next(&page, || 1) == Do::Accept { open: true };
                if accepts {
                    turn.accepted(Came::Connection);
                    assert_eq!(turn.next(&page, || 1), Do::Return(Came::Connection));
                }
                accepts
            })
        };
        // Another thread finds the ceiling reached; or the supervisor revokes.
        page.revoke();
        let most = page.accepted_at_most();
        let accepts = worker.join().unwrap();
        assert!(most >= u64::from(accepts), "what it accepted is neither counted nor marked");
        assert!(page.accepted_at_most() == u64::from(accepts));
    });
}

#[test]
fn two_threads_keep_a_ceiling_of_one() {
    ::loom::model(|| {
        let page = page();
        page.open(1, 1);
        let takers = [(); 2].map(|()| {
            let page = page.clone();
            thread::spawn(move || page.take_allowance(1) == Allowance::Taken)
        });
        let taken = takers.map(|taker| taker.join().unwrap());
        assert_ne!(taken[0], taken[1]);
    });
}

#[test]
fn what_was_accepted_by_a_used_single_is_noted() {
    ::loom::model(|| {
        let page = page();
        let accepts = |number| {
            let page = page.clone();
            thread::spawn(move || {
                page.note(number);
                page.count_accepted();
                page.use_single();
            })
        };
        let both = [accepts(1), accepts(2)];
        let used = page.used();
        let mut noted = 0;
        page.take_notes(|_| noted += 1);
        assert!(noted >= used);
        both.into_iter().for_each(|thread| thread.join().unwrap());
        page.take_notes(|_| noted += 1);
        assert_eq!(noted, 2);
    });
}

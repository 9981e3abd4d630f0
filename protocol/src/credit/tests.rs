//! What each call of the page does by itself; how they work together is the model's.

extern crate std;

use super::*;
use std::boxed::Box;
use std::vec::Vec;

fn page() -> Box<LanePage> {
    Box::new(LanePage::blank())
}

#[test]
fn who_shuts_its_own_generation_rings_once() {
    let page = page();
    page.open(1, NO_CEILING);
    assert_eq!(page.open_generation(), Some(1));
    assert!(page.ask_to_ring());
    assert_eq!(page.shut(2), Shut::Not);
    assert_eq!(page.shut(1), Shut::Done { ring: true });
    assert_eq!(page.shut(1), Shut::Not);
    assert!(!page.ask_to_ring(), "it is no longer open");
    page.open(2, NO_CEILING);
    assert_eq!(page.shut(1), Shut::Not);
    assert_eq!(page.shut(2), Shut::Done { ring: false });
}

#[test]
fn a_used_single_rings_once_if_asked() {
    let page = page();
    assert!(!page.use_single());
    page.ask_to_ring();
    assert!(page.use_single());
    assert!(!page.use_single());
    assert_eq!(page.used(), 3);
}

#[test]
fn a_single_of_an_older_series_is_void() {
    let page = page();
    assert!(page.may_use_single(0));
    page.begin_series(1);
    assert!(!page.may_use_single(0) && page.may_use_single(1));
}

#[test]
fn a_ceiling_is_not_exceeded() {
    let page = page();
    page.open(1, 2);
    let take = |generation| page.take_allowance(generation);
    assert_eq!([take(1), take(1), take(1)], [Allowance::Taken, Allowance::Taken, Allowance::Reached]);
    page.return_allowance(1);
    assert_eq!([take(1), take(1)], [Allowance::Taken, Allowance::Reached]);
    page.open(2, NO_CEILING);
    assert!((0..10).all(|_| take(2) == Allowance::Taken));
    page.return_allowance(2);
    assert_eq!(take(2), Allowance::Taken);
}

#[test]
fn a_ceiling_is_its_own_generations() {
    let page = page();
    page.open(1, 1);
    assert_eq!(page.take_allowance(1), Allowance::Taken);
    page.revoke();
    page.open(2, 1);
    page.return_allowance(1);
    assert_eq!(page.take_allowance(1), Allowance::Replaced);
    assert_eq!([2, 2].map(|own| page.take_allowance(own)), [Allowance::Taken, Allowance::Reached]);
}

#[test]
fn marks_are_found_again_and_counted_beyond_their_places() {
    let page = page();
    let left = page.mark(7);
    let again = page.mark(7);
    assert_eq!((left.0, page.marked().count()), (again.0, 1));
    page.unmark(again);
    assert_eq!(page.marked().count(), 0);
    let marks: Vec<Mark> = (1..=MARKS as u32 + 2).map(|thread| page.mark(thread)).collect();
    assert_eq!(page.marked().count(), MARKS + 1);
    for mark in marks {
        page.unmark(mark);
    }
    assert_eq!(page.marked().count(), 0);
}

#[test]
fn revoking_leaves_the_generation_shut() {
    let page = page();
    page.open(5, NO_CEILING);
    assert!(page.revoke() && !page.revoke());
    assert_eq!((page.open_generation(), page.shut(5)), (None, Shut::Not));
}

#[test]
fn what_is_noted_is_taken_once_and_there_is_room_for_so_many() {
    let page = page();
    assert!(!page.is_counted());
    page.be_counted();
    assert!(page.is_counted());
    for round in 0..3 {
        for number in 1..=NOTES as u64 + 1 {
            page.note(round * 1_000 + number);
            page.count_accepted();
        }
        let mut found = Vec::new();
        page.take_notes(|number| found.push(number - round * 1_000));
        found.sort_unstable();
        assert_eq!(found, (1..=NOTES as u64).collect::<Vec<_>>());
        page.take_notes(|number| panic!("{number} was taken before"));
    }
}

#[test]
fn what_was_handed_over_before_there_was_a_page_is_settled() {
    let page = LanePage::blank();
    page.count_received();
    assert!(page.may_hold_connections(), "received, and not known to have been handed over");
    page.nothing_is_handed();
    assert!(!page.may_hold_connections());
    page.hand_over();
    assert!(page.may_hold_connections());
    page.count_received();
    assert!(!page.may_hold_connections());
}

//! The page of a lane, from one thread.

extern crate std;

use super::*;
use std::boxed::Box;
use std::vec::Vec;

fn page() -> Box<LanePage> {
    // SAFETY: the page is made of atomics and numbers, for which zeroes are valid.
    unsafe { Box::<LanePage>::new_zeroed().assume_init() }
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
fn a_ceiling_is_not_exceeded() {
    let page = page();
    page.open(1, 2);
    assert!(page.take_allowance(1) && page.take_allowance(1) && !page.take_allowance(1));
    page.return_allowance(1);
    assert!(page.take_allowance(1) && !page.take_allowance(1));
    page.open(2, NO_CEILING);
    assert!((0..10).all(|_| page.take_allowance(2)));
}

#[test]
fn an_allowance_is_that_of_its_generation() {
    let page = page();
    page.open(1, 1);
    assert!(page.take_allowance(1));
    page.revoke();
    page.open(2, 1);
    page.return_allowance(1);
    assert!(!page.take_allowance(1), "it is the allowance of another credit");
    assert!(page.take_allowance(2) && !page.take_allowance(2));
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

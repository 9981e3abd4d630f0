//! Histories of one connection, as looks see them.

use super::super::tests::begin;
use super::*;

const GRACE: Duration = Duration::from_secs(2);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One look, with times in ms: when, bytes that have come, unread and written, the age of what was sent and has come.
type Look = (u64, u64, u32, u64, u64, u64);

fn seen((_, received, unread, written, sent_ago, received_ago): Look) -> SeenConnection {
    SeenConnection {
        cookie: 1,
        inode: 1,
        received,
        consumed: received - u64::from(unread),
        written,
        unread,
        unsent: 0,
        sent_ago: ms(sent_ago),
        received_ago: ms(received_ago),
        round_trip: ms(1),
    }
}

/// Whether it was complete and whether it was expected, after each look.
fn standings(looks: &[Look]) -> Vec<(bool, bool)> {
    let (mut proofs, start) = (Proofs::default(), begin());
    let after = |look: &Look| {
        proofs.learn(&[seen(*look)], &HashSet::new(), GRACE, start + ms(look.0));
        let Standing { complete, expected, .. } = proofs.standing(1);
        (complete, expected)
    };
    looks.iter().map(after).collect()
}

fn complete(looks: &[Look]) -> Vec<bool> {
    standings(looks).into_iter().map(|(complete, _)| complete).collect()
}

/// Whether it is answered after these looks, 10 ms from one to the next.
fn answered(looks: &[SeenConnection]) -> bool {
    let (mut proofs, start) = (Proofs::default(), begin());
    for (place, look) in looks.iter().enumerate() {
        proofs.learn(std::slice::from_ref(look), &HashSet::new(), GRACE, start + ms(10) * place as u32);
    }
    let track = &proofs.tracks[&1];
    track.answered_at == Some(track.last.counts())
}

/// A request of 9 bytes was read and perhaps answered by 20, in one tick, 100 ms ago.
fn tie() -> SeenConnection {
    seen((0, 9, 0, 20, 100, 100))
}

#[test]
fn a_kept_connection_is_complete_once_it_asks_again() {
    // The second request is let through alone; the third waits.
    let looks = [
        (0, 90, 0, 300, 12, 12),
        (40, 180, 90, 300, 52, 3),
        (45, 180, 0, 300, 57, 8),
        (50, 180, 0, 450, 2, 12),
        (70, 180, 0, 450, 22, 32),
        (95, 270, 90, 450, 47, 2),
        (120, 270, 90, 450, 72, 27),
    ];
    assert_eq!(complete(&looks), [false, false, false, false, false, true, true]);
}

#[test]
fn an_answer_in_pieces_is_not_complete_however_it_pauses() {
    // The head at once, then a piece after 1.5 s, and another.
    let mut looks = vec![
        (0, 120, 120, 0, 3, 3),
        (10, 120, 0, 0, 13, 13),
        (20, 120, 0, 160, 2, 23),
        (40, 120, 0, 160, 22, 43),
    ];
    looks.extend((1..=14).map(|step| (40 + 100 * step, 120, 0, 160, 22 + 100 * step, 43 + 100 * step)));
    looks.push((1520, 120, 0, 1160, 2, 1523));
    looks.extend((1..=19).map(|step| (1520 + 100 * step, 120, 0, 1160, 2 + 100 * step, 1523 + 100 * step)));
    let complete = complete(&looks);
    // Not read at all, it can be answered by another.
    assert!(complete[0] && !complete[1..].contains(&true), "{complete:?}");
    assert!(standings(&looks).iter().all(|(_, expected)| !expected));
    // What was silent for as long as the quiet drain waits is over.
    looks.push((3521, 120, 0, 1160, 2001, 3524));
    assert!(standings(&looks).pop().unwrap().0);
}

#[test]
fn the_rest_of_a_request_is_no_next_request() {
    // Told to go on (25 bytes), the client is slow to do so.
    let told = [
        (0, 90, 0, 300, 12, 12),
        (40, 180, 90, 300, 52, 3),
        (45, 180, 0, 325, 2, 8),
        (80, 180, 0, 325, 37, 43),
        (90, 1180, 1000, 325, 47, 2),
    ];
    assert!(!complete(&told).contains(&true));
    // Its answer, and the next request.
    let then = [(95, 1180, 0, 325, 52, 7), (100, 1180, 0, 500, 2, 12), (130, 1180, 0, 500, 32, 42)];
    let next = [(140, 1270, 90, 500, 42, 2)];
    assert_eq!(complete(&[&told[..], &then, &next].concat()).pop(), Some(true));
    // A body in pieces, to which nothing is said.
    let body = [
        (0, 90, 0, 300, 12, 12),
        (40, 180, 90, 300, 52, 3),
        (45, 180, 0, 300, 57, 8),
        (80, 280, 100, 300, 92, 4),
        (85, 280, 0, 300, 97, 9),
        (120, 380, 100, 300, 132, 4),
    ];
    assert!(!complete(&body).contains(&true));
}

#[test]
fn of_two_requests_between_two_looks_nothing_is_known() {
    // The answer and a call to go on cannot be told apart.
    let looks = [
        (0, 90, 90, 300, 52, 2),
        (10, 180, 0, 475, 1, 3),
        (40, 180, 0, 475, 31, 33),
        (50, 1180, 1000, 475, 41, 2),
    ];
    assert!(!complete(&looks).contains(&true));
}

#[test]
fn a_request_that_is_not_answered_is_never_old() {
    let slow = [(0, 90, 0, 300, 12, 12), (100, 180, 0, 300, 112, 4), (3000, 180, 0, 300, 3012, 2904)];
    assert!(!complete(&slow).contains(&true));
    assert!(!complete(&[(0, 90, 0, 0, 3100, 3000)])[0], "the first one on its connection");
    assert!(complete(&[(0, 90, 0, 300, 2000, 2000)])[0]);
    let stuck = SeenConnection { unsent: 1, ..seen((0, 90, 0, 300, 2000, 2000)) };
    let mut proofs = Proofs::default();
    proofs.learn(&[stuck], &HashSet::new(), GRACE, begin());
    assert!(!proofs.standing(1).complete, "its client has not read it");
}

#[test]
fn an_untouched_one_may_be_taken_with_what_has_come() {
    assert_eq!(complete(&[(0, 0, 0, 0, 3, 3), (10, 90, 90, 0, 13, 2)]), [true, true]);
    assert_eq!(complete(&[(0, 90, 90, 0, 13, 2), (10, 90, 0, 0, 23, 12)]), [true, false]);
}

#[test]
fn a_thread_that_came_back_for_more_has_answered() {
    let (mut proofs, start) = (Proofs::default(), begin());
    let mut learn = |look: Look, waits: bool| {
        let receiving = waits.then_some(1).into_iter().collect();
        proofs.learn(&[seen(look)], &receiving, GRACE, start + ms(look.0));
        proofs.standing(1).complete
    };
    assert!(!learn((0, 9, 0, 20, 100, 100), true), "a look alone may be torn");
    assert!(learn((10, 9, 0, 20, 110, 110), true));
    assert!(learn((20, 18, 9, 20, 120, 1), false), "it has not read it");
    // It is at work, and pauses in its answer.
    assert!(!learn((30, 18, 0, 20, 130, 11), false));
    assert!(!learn((40, 18, 0, 30, 2, 21), false));
    assert!(!learn((900, 18, 0, 30, 862, 881), false));
    // It has told the client to go on, and waits for that.
    assert!(!learn((910, 27, 9, 40, 1, 2), false));
    assert!(!learn((920, 27, 0, 40 + CONTINUE, 2, 12), true));
}

#[test]
fn a_client_that_always_asks_at_once_counts_as_rested_after_many_answers() {
    let mut looks = Vec::new();
    for turn in 0..=u64::from(RESTLESS) {
        let (at, came, said) = (4 * turn, 90 * (turn + 1), 150 * (turn + 1));
        looks.push((at, came, 90, said - 150, 4, 2));
        looks.push((at + 2, came, 0, said, 0, 2));
    }
    let last = looks.len() - 2;
    let complete = complete(&looks);
    assert!(complete[0] && !complete[1..last].contains(&true) && complete[last], "{complete:?}");
}

#[test]
fn one_that_asks_again_and_again_is_expected() {
    let turn = |at: u64| [(at, 90 + at, 0, 300 + at, 2, 2), (at + 25, 90 + at, 0, 300 + at, 27, 27)];
    let mut looks: Vec<Look> = (0..6).flat_map(|number| turn(50 * number)).collect();
    looks.push((500, 340, 0, 550, 252, 252));
    let expected: Vec<bool> = standings(&looks).iter().map(|(_, expected)| *expected).collect();
    // From the fourth turn on, until it is late.
    assert_eq!(expected.iter().position(|expected| *expected), Some(8));
    assert!(expected[8..12].iter().all(|expected| *expected) && !expected[12]);
}

#[test]
fn a_tie_proves_nothing_however_often_it_is_seen() {
    assert!(!answered(&[tie(), tie(), tie()]));
}

#[test]
fn what_was_sent_after_the_last_byte_came_is_an_answer() {
    let younger = SeenConnection { sent_ago: ms(96), ..tie() };
    assert!(!answered(std::slice::from_ref(&younger)), "a look alone may be torn");
    assert!(answered(&[younger.clone(), younger.clone()]));
    assert!(!answered(&[SeenConnection { received: 8, ..tie() }, younger]));
    assert!(answered(&[tie(), SeenConnection { unsent: 20, ..tie() }]));
    assert!(answered(&[SeenConnection { written: 0, ..tie() }, tie()]));
    let older = SeenConnection { sent_ago: ms(104), ..tie() };
    assert!(!answered(&[older.clone(), older]));
}

#[test]
fn what_is_written_after_all_was_read_is_an_answer_whatever_has_come_since() {
    let read = SeenConnection { written: 0, ..tie() };
    let asks_again = SeenConnection { received: 18, unread: 9, written: 20, ..tie() };
    assert!(answered(&[read.clone(), asks_again.clone()]));
    assert!(answered(&[read, tie(), asks_again.clone()]));
    assert!(!answered(&[tie(), asks_again.clone()]));
    assert!(!answered(&[SeenConnection { consumed: 0, unread: 9, written: 0, ..tie() }, asks_again]));
}

#[test]
fn silence_is_counted_from_the_last_touch() {
    let (mut proofs, start) = (Proofs::default(), begin());
    let mut learn = |look: Look| {
        proofs.learn(&[seen(look)], &HashSet::new(), GRACE, start + ms(look.0));
        proofs.standing(1).silence
    };
    assert_eq!(learn((0, 9, 0, 20, 0, 0)), ms(0));
    assert_eq!(learn((30, 18, 9, 20, 0, 0)), ms(30));
    assert_eq!(learn((40, 18, 0, 20, 0, 0)), ms(0));
    assert_eq!(learn((60, 18, 0, 20, 100, 100)), ms(100));
    let last = seen((60, 18, 0, 20, 100, 100));
    assert!(proofs.are_all(std::slice::from_ref(&last)) && !proofs.are_all(&[]));
    proofs.learn(&[], &HashSet::new(), GRACE, start + ms(70));
    assert!(!proofs.holds(&last) && proofs.are_all(&[]));
}

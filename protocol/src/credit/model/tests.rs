//! What the model must not find, by how the workers' threads wait, and what it must find where a rule is left out.

use super::*;

const ONCE: Shape = Shape::LevelOnce;
const GREEDY: Shape = Shape::LevelGreedy;
const PATIENT: Shape = Shape::LevelPatient;
const EDGE: Shape = Shape::EdgeGreedy;
const DIRECT: Shape = Shape::DirectGreedy;
const DIRECT_ONCE: Shape = Shape::DirectOnce;
const BLOCKS: Shape = Shape::Blocking;
const AWAY: Shape = Shape::Away;

fn holds(model: Model) {
    let found = model.search();
    assert_eq!(found.broken, None, "after {} states:\n{}", found.states, found.trace);
    assert!(found.comes_to_its_end, "after {} states", found.states);
}

fn breaks(model: Model, how: &str) {
    let fault = model.fault;
    let found = model.search();
    assert_eq!(found.broken, Some(how), "{fault:?}, {} states:\n{}", found.states, found.trace);
}

#[test]
fn level_triggered_one_accept_a_wake_up() {
    holds(model(&[(0, ONCE), (1, AWAY)], 3).second_is_open());
}

#[test]
fn level_triggered_greedy() {
    holds(model(&[(0, GREEDY), (1, AWAY)], 3).second_is_open());
}

#[test]
fn level_triggered_and_patient() {
    holds(model(&[(0, PATIENT), (1, AWAY)], 3).second_is_open());
    holds(model(&[(0, PATIENT), (0, PATIENT), (1, AWAY)], 1).second_is_open());
    holds(model(&[(0, PATIENT), (1, ONCE)], 1).cordon());
}

#[test]
fn waits_that_watch_the_queue() {
    holds(model(&[(0, DIRECT), (1, AWAY)], 3).second_is_open());
    holds(model(&[(0, DIRECT_ONCE), (1, AWAY)], 3).second_is_open());
    holds(model(&[(0, DIRECT), (1, AWAY)], 2).second_is_open().leaves());
    holds(model(&[(0, DIRECT), (1, ONCE)], 2).generations(1));
}

#[test]
fn two_that_watch_the_queue_and_one_is_taken_out() {
    holds(model(&[(0, DIRECT), (1, DIRECT)], 2).cordon().generations(1));
    holds(model(&[(0, DIRECT_ONCE), (1, DIRECT)], 2).cordon().generations(1));
    holds(model(&[(0, DIRECT), (1, DIRECT)], 2).generations(1).leaves());
}

#[test]
fn who_watches_the_queue_must_be_told_of_the_end() {
    breaks(model(&[(0, DIRECT), (1, DIRECT)], 2).cordon().generations(1).fault(Fault::WatcherSleepsOn), LOST);
}

#[test]
fn others_must_be_woken_instead_of_who_is_taken_out() {
    breaks(
        model(&[(0, DIRECT), (1, DIRECT)], 2).cordon().generations(1).fault(Fault::WakesNobodyInstead),
        LOST,
    );
}

#[test]
fn who_is_edge_triggered_must_not_be_patient() {
    breaks(model(&[(0, EDGE), (1, AWAY)], 3).second_is_open().fault(Fault::EdgeIsPatient), LOST);
}

#[test]
fn edge_triggered_greedy() {
    holds(model(&[(0, EDGE), (1, AWAY)], 3).second_is_open());
}

#[test]
fn two_threads_of_one_set() {
    holds(model(&[(0, ONCE), (0, ONCE), (1, AWAY)], 2).second_is_open());
}

#[test]
fn two_greedy_threads() {
    holds(model(&[(0, GREEDY), (0, EDGE), (1, AWAY)], 1).second_is_open());
}

#[test]
fn two_threads_that_block() {
    holds(model(&[(0, BLOCKS), (0, BLOCKS), (1, AWAY)], 2).second_is_open());
}

#[test]
fn one_that_blocks_beside_one_that_does_not() {
    holds(model(&[(0, BLOCKS), (1, ONCE)], 2));
}

#[test]
fn a_single_that_is_never_used_holds_nobody_up() {
    holds(model(&[(0, ONCE), (1, AWAY)], 2).second_has_single());
    holds(model(&[(0, EDGE), (1, AWAY)], 2).second_has_single());
}

#[test]
fn two_workers() {
    holds(model(&[(0, ONCE), (1, EDGE)], 2).generations(1));
    holds(model(&[(0, ONCE), (1, EDGE)], 1).generations(2));
}

#[test]
fn nothing_is_accepted_after_a_revoke() {
    holds(model(&[(0, GREEDY), (1, ONCE)], 1).cordon());
    holds(model(&[(0, ONCE), (0, ONCE), (1, AWAY)], 1).cordon());
    holds(model(&[(0, BLOCKS), (0, BLOCKS)], 1).cordon());
}

#[test]
fn a_ceiling_is_kept() {
    holds(model(&[(0, GREEDY), (0, GREEDY)], 2).ceiling(1).generations(2));
}

#[test]
fn who_has_no_descriptor_gives_its_right_back() {
    for shape in [ONCE, PATIENT, EDGE, BLOCKS] {
        holds(model(&[(0, shape), (1, AWAY)], 1).second_is_open().exhaustion());
    }
    holds(model(&[(0, GREEDY), (1, ONCE)], 1).cordon().exhaustion());
}

#[test]
fn who_has_no_descriptor_must_say_so() {
    let fault = Fault::ExhaustedInSilence;
    breaks(model(&[(0, EDGE), (1, AWAY)], 1).second_is_open().exhaustion().fault(fault), LOST);
}

#[test]
fn an_open_record_must_not_be_dropped() {
    breaks(model(&[(0, ONCE), (0, ONCE), (1, AWAY)], 2).second_is_open().fault(Fault::DropsOpenRecord), LOST);
}

#[test]
fn who_sleeps_must_look_whether_all_are_open() {
    breaks(model(&[(0, ONCE), (1, AWAY)], 2).second_is_open().fault(Fault::SleepsWithoutLook), LOST);
}

#[test]
fn who_was_asked_must_ring() {
    breaks(model(&[(0, ONCE), (1, AWAY)], 2).second_is_open().fault(Fault::NeverRings), LOST);
}

#[test]
fn singles_that_suffice_must_ring_too() {
    breaks(model(&[(0, ONCE), (1, EDGE)], 2).fault(Fault::AsksOnlyForMore), LOST);
}

#[test]
fn what_is_used_must_be_read_after_asking() {
    breaks(model(&[(0, ONCE), (1, EDGE)], 2).generations(1).fault(Fault::DoesNotReadUsedAgain), LOST);
}

#[test]
fn who_revokes_must_look_at_the_queue() {
    breaks(model(&[(0, GREEDY), (1, ONCE)], 1).cordon().fault(Fault::SleepsAfterRevoke), LOST);
}

#[test]
fn who_is_marked_must_look_again() {
    breaks(model(&[(0, GREEDY), (1, AWAY)], 1).cordon().fault(Fault::DoesNotLookAgain), REVOKED);
}

#[test]
fn the_mark_must_stay_until_the_accept_is_over() {
    breaks(model(&[(0, GREEDY), (1, AWAY)], 1).cordon().fault(Fault::UnmarksBeforeAccept), REVOKED);
}

#[test]
fn the_mark_must_stay_until_the_connection_is_counted() {
    breaks(model(&[(0, GREEDY), (0, GREEDY)], 2).ceiling(1).fault(Fault::CountsAfterUnmark), CEILING);
}

#[test]
fn marks_must_be_read_before_what_was_accepted() {
    breaks(model(&[(0, GREEDY), (0, GREEDY)], 2).ceiling(1).fault(Fault::CountsBeforeMarks), CEILING);
}

#[test]
fn an_allowance_must_not_outlive_its_generation() {
    breaks(model(&[(0, GREEDY), (0, GREEDY)], 2).ceiling(1).fault(Fault::AllowanceOfAnyGeneration), CEILING);
}

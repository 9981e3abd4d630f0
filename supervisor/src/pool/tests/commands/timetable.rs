//! What is due by the wall clock: at its time, after a sleep, after the clock was set, and once in a night in which an hour is missing or
//! comes twice.

use crate::pool::{Deed, Notice, Timetable};
use crate::settings::{Schedules, Zone};

fn berlin() -> Zone {
    Zone::berlin()
}

fn ms(text: &str) -> u64 {
    Zone::moment(text)
}

fn schedules(reload_at: &[&str], restart_at: &[&str]) -> Schedules {
    let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let mut schedules = Schedules::default();
    (schedules.reload_at, schedules.restart_at) = (read(reload_at), read(restart_at));
    schedules
}

fn reloads(schedule: &str, begin: &str) -> Timetable {
    let mut timetable = Timetable::default();
    timetable.set(&schedules(&[schedule], &[]), ms(begin), &berlin());
    timetable
}

/// The only notice of a look at this moment: whether it is due, and what was missed.
fn look(timetable: &mut Timetable, at: &str) -> Option<(bool, Option<(String, String)>)> {
    let mut notices = timetable.look(ms(at), &berlin());
    assert!(notices.len() <= 1, "{notices:?}");
    let text = |(first, last)| (berlin().text(first), berlin().text(last));
    notices.pop().map(|notice: Notice| (notice.is_due, notice.missed.map(text)))
}

/// The clock goes on as it should, and is looked at when it is said to be time: the moments at which something was due.
fn run(timetable: &mut Timetable, from: &str, to: &str) -> Vec<String> {
    let (mut now, end) = (ms(from), ms(to));
    let mut due = Vec::new();
    while now <= end {
        for notice in timetable.look(now, &berlin()) {
            assert!(notice.is_due && notice.missed.is_none(), "{notice:?}");
            due.push(berlin().text(now));
        }
        let rest = timetable.rest(now).unwrap();
        assert!(!rest.is_zero(), "what is due is done at once");
        now += u64::try_from(rest.as_millis()).unwrap();
    }
    due
}

#[test]
fn each_time_has_its_deed_once() {
    let mut timetable = reloads("0 3 * * *", "2026-11-30T12:00:00Z");
    assert_eq!(
        run(&mut timetable, "2026-11-30T12:00:00Z", "2026-12-02T12:00:00Z"),
        ["2026-12-01 03:00:00 +01:00", "2026-12-02 03:00:00 +01:00"]
    );
    assert_eq!(Timetable::default().rest(0), None);
}

#[test]
fn a_night_with_an_hour_less_or_more_has_it_once() {
    let mut spring = reloads("30 2 * * *", "2026-03-28T12:00:00Z");
    assert_eq!(
        run(&mut spring, "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z"),
        ["2026-03-29 03:00:00 +02:00", "2026-03-30 02:30:00 +02:00"]
    );
    let mut autumn = reloads("30 2 * * *", "2026-10-24T12:00:00Z");
    assert_eq!(
        run(&mut autumn, "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"),
        ["2026-10-25 02:30:00 +02:00", "2026-10-26 02:30:00 +01:00"]
    );
}

#[test]
fn what_was_slept_through_is_told_and_not_done() {
    let mut timetable = reloads("0 3 * * *", "2026-11-30T12:00:00Z");
    let missed = |first: &str, last: &str| Some((first.to_owned(), last.to_owned()));
    assert_eq!(
        look(&mut timetable, "2026-12-03T08:00:00Z"),
        Some((false, missed("2026-12-01 03:00:00 +01:00", "2026-12-03 03:00:00 +01:00")))
    );
    assert_eq!(look(&mut timetable, "2026-12-03T08:01:00Z"), None);
    assert_eq!(look(&mut timetable, "2026-12-04T02:00:00Z"), Some((true, None)));
}

#[test]
fn of_many_that_were_missed_only_the_latest_is_done_if_it_was_just_now() {
    let mut timetable = reloads("0 * * * *", "2026-11-30T12:30:00Z");
    let missed = Some(("2026-11-30 14:00:00 +01:00".to_owned(), "2026-11-30 16:00:00 +01:00".to_owned()));
    assert_eq!(look(&mut timetable, "2026-11-30T16:00:30Z"), Some((true, missed)));
    assert_eq!(look(&mut timetable, "2026-11-30T16:00:31Z"), None);
}

#[test]
fn a_clock_set_back_does_nothing_twice() {
    let mut timetable = reloads("0 3 * * *", "2026-11-30T12:00:00Z");
    assert_eq!(look(&mut timetable, "2026-12-01T02:00:00.003Z"), Some((true, None)));
    // By the network's time it was not yet three.
    assert_eq!(look(&mut timetable, "2026-12-01T01:59:58Z"), None);
    assert_eq!(look(&mut timetable, "2026-12-01T02:00:00Z"), None);
    assert_eq!(look(&mut timetable, "2026-12-01T00:30:00Z"), None);
    assert_eq!(look(&mut timetable, "2026-12-01T02:00:00Z"), None);
    assert_eq!(look(&mut timetable, "2026-12-02T02:00:00Z"), Some((true, None)));
}

#[test]
fn a_clock_that_was_wrong_is_not_gone_by() {
    let mut timetable = reloads("0 3 * * *", "2031-01-01T12:00:00Z");
    assert_eq!(look(&mut timetable, "2026-12-01T01:00:00Z"), None);
    assert_eq!(look(&mut timetable, "2026-12-01T02:00:00Z"), Some((true, None)));
}

#[test]
fn the_restart_comes_first_and_what_stays_in_force_keeps_its_time() {
    let mut timetable = Timetable::default();
    let begin = ms("2026-11-30T12:00:00Z");
    timetable.set(&schedules(&["0 14 * * *", "0 15 * * *"], &["0 14 * * *"]), begin, &berlin());
    let later = ms("2026-11-30T13:00:00Z");
    // One is taken out at the moment at which others are due.
    timetable.set(&schedules(&["0 14 * * *"], &["0 14 * * *"]), later, &berlin());
    let deeds: Vec<Deed> = timetable.look(later, &berlin()).iter().map(|notice| notice.deed).collect();
    assert_eq!(deeds, [Deed::Restart, Deed::Reload]);
    timetable.set(&Schedules::default(), later, &berlin());
    assert_eq!(timetable.rest(later), None);
}

//! Times at which something is done again and again, as crontab(5) writes them, and the time zone whose wall clock they go by. It reads no
//! clock: every moment is an argument, in milliseconds since the Unix epoch.

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::fmt;
use std::str::FromStr;

/// Searches for a first time begin here, to see whether there is any: 2024-01-01.
const SOME_DAY: u64 = 1_704_067_200_000;

/// Times at which something is done again and again: the five fields of crontab(5), or six of which the first is seconds, or a name such as
/// `@daily`.
#[derive(Clone)]
pub struct Schedule {
    text: String,
    cron: Box<Cron>,
}

/// The wall clock of some place.
#[derive(Clone, Debug)]
pub(crate) struct Zone(TimeZone);

impl Schedule {
    /// The first time after this moment.
    pub(crate) fn next_after(&self, moment: u64, zone: &Zone) -> Option<u64> {
        let found = self.cron.find_next_occurrence(&zone.at(moment)?, false);
        found.ok().and_then(|found| milliseconds(&found))
    }

    /// The last time before this moment, which may be one itself.
    pub(crate) fn last_until(&self, moment: u64, zone: &Zone) -> Option<u64> {
        let found = self.cron.find_previous_occurrence(&zone.at(moment)?, true);
        found.ok().and_then(|found| milliseconds(&found))
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().eq_ignore_ascii_case("@reboot") {
            return Err("the workers are started with the cluster in any case".to_owned());
        }
        let cron = parse(text).map_err(|error| fault(text, &error))?;
        let schedule = Self { text: text.trim().to_owned(), cron: Box::new(cron) };
        match schedule.next_after(SOME_DAY, &Zone(TimeZone::UTC)) {
            Some(_) => Ok(schedule),
            None => Err("no day is ever such a day".to_owned()),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schedule").field(&self.text).finish()
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Schedule {}

impl Zone {
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self(zone)
    }

    pub(crate) fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// For people there: `2026-12-01 03:00:00 +01:00`.
    pub(crate) fn text(&self, moment: u64) -> String {
        let at = self.at(moment);
        at.map_or_else(String::new, |at| at.strftime("%Y-%m-%d %H:%M:%S %:z").to_string())
    }

    /// That of Berlin, by its rule: no database is needed.
    #[cfg(test)]
    pub(crate) fn berlin() -> Self {
        Self(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap())
    }

    /// The moment that is written so.
    #[cfg(test)]
    pub(crate) fn moment(text: &str) -> u64 {
        u64::try_from(text.parse::<Timestamp>().unwrap().as_millisecond()).unwrap()
    }

    /// A schedule has no parts of seconds.
    fn at(&self, moment: u64) -> Option<Zoned> {
        let seconds = i64::try_from(moment / 1000).ok()?;
        Some(Timestamp::from_second(seconds).ok()?.to_zoned(self.0.clone()))
    }
}

fn parse(text: &str) -> Result<Cron, CronError> {
    CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build().parse(text)
}

/// What is wrong, and in which field: that is the one which is wrong among others that are right.
fn fault(text: &str, error: &CronError) -> String {
    const FIELDS: [&str; 6] = ["second", "minute", "hour", "day of the month", "month", "day of the week"];
    let fields: Vec<&str> = text.split_whitespace().collect();
    let Some(names) = FIELDS.len().checked_sub(fields.len()).and_then(|from| FIELDS.get(from..)) else {
        return format!("has {} fields, and is to have five: {}", fields.len(), FIELDS[1..].join(", "));
    };
    if text.trim_start().starts_with('@') {
        return "is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually".to_owned();
    }
    if names.len() < 5 {
        let count = if names.len() == 1 { "1 field".to_owned() } else { format!("{} fields", names.len()) };
        return format!("has {count}, and is to have five: {}", FIELDS[1..].join(", "));
    }
    for (place, (field, name)) in fields.iter().zip(names).enumerate() {
        let mut alone = vec!["*"; fields.len()];
        alone[place] = field;
        match parse(&alone.join(" ")) {
            Ok(_) => {}
            Err(CronError::IllegalCharacters(_)) => return format!("{field:?} is no {name}"),
            Err(CronError::ComponentError(why)) => {
                return format!("{field:?} is no {name}: {}", why.trim_end_matches('.').to_lowercase());
            }
            Err(error) => return format!("{field:?} is no {name}: {error}"),
        }
    }
    error.to_string()
}

fn milliseconds(moment: &Zoned) -> Option<u64> {
    u64::try_from(moment.timestamp().as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first times after this moment, as the wall clock in Berlin shows them.
    fn times(schedule: &str, after: &str, count: usize) -> Vec<String> {
        let schedule: Schedule = schedule.parse().unwrap();
        let mut at = Zone::moment(after);
        let mut next = || {
            at = schedule.next_after(at, &Zone::berlin()).unwrap();
            Zone::berlin().text(at)
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn fields_and_names_are_those_of_crontab() {
        let first = |schedule| times(schedule, "2026-11-30T12:00:30Z", 1).remove(0);
        for (schedule, at) in [
            ("0 3 * * *", "2026-12-01 03:00:00 +01:00"),
            ("30 3 * * *", "2026-12-01 03:30:00 +01:00"),
            ("*/15 * * * *", "2026-11-30 13:15:00 +01:00"),
            ("0 3 * * sun", "2026-12-06 03:00:00 +01:00"),
            ("0 3 * * 7", "2026-12-06 03:00:00 +01:00"),
            ("0 3 1 jan *", "2027-01-01 03:00:00 +01:00"),
            // Either of the two days, as in crontab(5).
            ("0 3 13 * fri", "2026-12-04 03:00:00 +01:00"),
            ("*/20 * * * * *", "2026-11-30 13:00:40 +01:00"),
            ("@daily", "2026-12-01 00:00:00 +01:00"),
            ("@hourly", "2026-11-30 14:00:00 +01:00"),
            ("0 3 29 2 *", "2028-02-29 03:00:00 +01:00"),
        ] {
            assert_eq!(first(schedule), at, "{schedule}");
        }
    }

    #[test]
    fn what_can_never_be_is_told() {
        for (text, why) in [
            ("", "has 0 fields"),
            ("3", "has 1 field,"),
            ("0 3 * *", "has 4 fields"),
            ("0 0 3 * * * 2027", "has 7 fields"),
            ("61 * * * *", "\"61\" is no minute: number out of bounds"),
            ("0 25 * * *", "\"25\" is no hour: "),
            ("99 0 3 * * *", "\"99\" is no second: "),
            ("0 3 * * someday", "\"someday\" is no day of the week"),
            ("0 3 30 2 *", "no day is ever such a day"),
            ("@reboot", "with the cluster"),
            ("@sometimes", "is none of @hourly, @daily,"),
        ] {
            let told = text.parse::<Schedule>().unwrap_err();
            assert!(told.contains(why) && !told.contains('\n'), "{text}: {told}");
        }
        assert_eq!(" 0 3 * * * ".parse::<Schedule>().unwrap().to_string(), "0 3 * * *");
    }

    #[test]
    fn a_time_that_does_not_exist_comes_right_after_the_gap() {
        // On the 29th of March 2026 02:00 is followed by 03:00.
        assert_eq!(
            times("30 2 * * *", "2026-03-28T12:00:00Z", 2),
            ["2026-03-29 03:00:00 +02:00", "2026-03-30 02:30:00 +02:00"]
        );
        assert_eq!(
            times("*/30 * * * *", "2026-03-29T00:40:00Z", 2),
            ["2026-03-29 03:00:00 +02:00", "2026-03-29 03:30:00 +02:00"]
        );
    }

    #[test]
    fn a_time_that_exists_twice_comes_once() {
        // On the 25th of October 2026 03:00 is followed by 02:00.
        assert_eq!(
            times("30 2 * * *", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25 02:30:00 +02:00", "2026-10-26 02:30:00 +01:00"]
        );
        // Also for who looks between the two.
        assert_eq!(times("30 2 * * *", "2026-10-25T01:10:00Z", 1), ["2026-10-26 02:30:00 +01:00"]);
        // What is for every hour is for each of the two.
        assert_eq!(
            times("30 * * * *", "2026-10-25T00:00:00Z", 3),
            ["2026-10-25 02:30:00 +02:00", "2026-10-25 02:30:00 +01:00", "2026-10-25 03:30:00 +01:00"]
        );
    }

    #[test]
    fn the_last_time_is_found_too() {
        let schedule: Schedule = "0 3 * * *".parse().unwrap();
        let last =
            |text| Zone::berlin().text(schedule.last_until(Zone::moment(text), &Zone::berlin()).unwrap());
        assert_eq!(last("2026-12-01T02:00:00Z"), "2026-12-01 03:00:00 +01:00");
        assert_eq!(last("2026-12-01T01:59:59Z"), "2026-11-30 03:00:00 +01:00");
    }
}

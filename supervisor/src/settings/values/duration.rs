//! Durations as people write them: `500ms`, `2s`, `1m30s`, `1.5s`, and where it is allowed `infinity` or `off`.

use crate::settings::OrNever;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Nothing here waits for longer; it also keeps a moment plus a duration from overflowing.
pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Nanoseconds of each unit, longest first.
const UNITS: [(&str, u128); 5] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// Why a text is not a duration. Reads well after "invalid value 'TEXT': ".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DurationError {
    #[error("this is not a duration; write for example 500ms, 2s or 1m30s")]
    Malformed,
    #[error("this has no unit; write for example 500ms, 2s or 1m30s")]
    NoUnit,
    #[error("the units are ms, s, m, h and d; write for example 500ms, 2s or 1m30s")]
    UnknownUnit,
    #[error("this is longer than 365d")]
    TooLong,
    #[error("this is neither a duration nor `infinity`; write for example 500ms, 2s or 1m30s")]
    NorInfinity,
    #[error("this is neither a duration nor `off`; write for example 500ms, 2s or 1m30s")]
    NorOff,
}

/// A duration that prints and parses as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Human(pub(crate) Duration);

/// A duration or `infinity`. 0 is a duration like any other.
pub(crate) fn or_infinity(text: &str) -> Result<OrNever, DurationError> {
    match text {
        "infinity" => Ok(None),
        _ => parse(text).map(Some).map_err(|e| e.or(DurationError::NorInfinity)),
    }
}

/// A duration or `off`. 0 is `off`.
pub(crate) fn or_off(text: &str) -> Result<OrNever, DurationError> {
    match text {
        "off" => Ok(None),
        _ => {
            let limit = parse(text).map_err(|e| e.or(DurationError::NorOff))?;
            Ok(Some(limit).filter(|limit| !limit.is_zero()))
        }
    }
}

impl DurationError {
    fn or(self, malformed: Self) -> Self {
        if self == Self::Malformed { malformed } else { self }
    }
}

impl FromStr for Human {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        parse(text).map(Self)
    }
}

/// A duration.
pub(crate) fn parse(text: &str) -> Result<Duration, DurationError> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err(DurationError::Malformed);
    }
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let mut total: u128 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c| !is_number(c)).unwrap_or(rest.len()));
        let (unit, tail) = tail.split_at(tail.find(is_number).unwrap_or(tail.len()));
        if number.is_empty() {
            return Err(DurationError::Malformed);
        }
        if unit.is_empty() {
            return Err(DurationError::NoUnit);
        }
        let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(DurationError::UnknownUnit)?;
        total += scaled(number, *nanos)?;
        if total > LONGEST.as_nanos() {
            return Err(DurationError::TooLong);
        }
        rest = tail;
    }
    u64::try_from(total).map(Duration::from_nanos).map_err(|_| DurationError::TooLong)
}

/// `number` (digits with at most one point among them) times `nanos`.
fn scaled(number: &str, nanos: u128) -> Result<u128, DurationError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(DurationError::Malformed);
    }
    // Nine digits reach a nanosecond of a second; more could overflow and mean nothing.
    let fraction = fraction.get(..9).unwrap_or(fraction);
    let whole: u64 = whole.parse().map_err(|_| DurationError::TooLong)?;
    let tenths: u64 = fraction.parse().map_err(|_| DurationError::Malformed)?;
    let scale = 10_u128.pow(fraction.len() as u32);
    Ok(u128::from(whole) * nanos + u128::from(tenths) * nanos / scale)
}

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_millis(1) {
            return f.write_str("0");
        }
        let mut rest = self.0.as_nanos();
        for (name, nanos) in UNITS {
            let count = rest / nanos;
            rest %= nanos;
            if count > 0 {
                write!(f, "{count}{name}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{DurationError, Human, LONGEST, or_infinity, or_off, parse};
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn what_people_write() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("500ms", 500),
            ("2s", 2_000),
            ("1.5s", 1_500),
            ("1m30s", 90_000),
            ("1h", 3_600_000),
            ("2d", 172_800_000),
            ("0.25m", 15_000),
            ("1.000000000000000000001s", 1_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_they_should_not() {
        for (text, error) in [
            ("", DurationError::Malformed),
            ("fast", DurationError::Malformed),
            ("-1s", DurationError::Malformed),
            (" 1s", DurationError::Malformed),
            ("1..5s", DurationError::Malformed),
            (".5s", DurationError::Malformed),
            ("5.s", DurationError::Malformed),
            ("5", DurationError::NoUnit),
            ("1m30", DurationError::NoUnit),
            ("1m 30s", DurationError::UnknownUnit),
            ("3 s", DurationError::UnknownUnit),
            ("3S", DurationError::UnknownUnit),
            ("366d", DurationError::TooLong),
            ("99999999999999999999999s", DurationError::TooLong),
            ("infinity", DurationError::Malformed),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn words_where_they_are_allowed() {
        assert_eq!(or_infinity("infinity"), Ok(None));
        assert_eq!(or_infinity("0"), Ok(Some(Duration::ZERO)));
        assert_eq!(or_infinity("off"), Err(DurationError::NorInfinity));
        assert_eq!(or_off("off"), Ok(None));
        assert_eq!(or_off("0"), Ok(None));
        assert_eq!(or_off("1s"), Ok(Some(Duration::from_secs(1))));
        assert_eq!(or_off("never"), Err(DurationError::NorOff));
        assert_eq!(or_off("7"), Err(DurationError::NoUnit));
    }

    proptest! {
        #[test]
        fn printed_and_parsed_is_the_same(millis in 0..=LONGEST.as_millis() as u64) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&Human(duration).to_string()), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = parse(&text);
        }
    }
}

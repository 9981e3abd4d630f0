//! An amount of bytes as people write it: `200M`, `1.5G`, `64KiB`. It knows no limits but those of the number.

use std::fmt;
use std::str::FromStr;

/// Bytes; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(pub(crate) u64);

/// Units, as they are written behind a number; all are powers of 1024.
const UNITS: [(&str, u64); 4] = [("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40)];

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let odd = "write an amount of bytes as 200M or 1.5G";
        let upper = text.to_ascii_uppercase();
        let number = upper.strip_suffix('B').unwrap_or(&upper);
        let number = number.strip_suffix('I').unwrap_or(number);
        let with_unit = UNITS.iter().find_map(|(name, unit)| Some((number.strip_suffix(name)?, *unit)));
        let (number, unit) = with_unit.unwrap_or((number, 1));
        let number: f64 = number.parse().map_err(|_| odd)?;
        let bytes = number * unit as f64;
        if bytes.is_finite() && (1.0..9e18).contains(&bytes) { Ok(Self(bytes as u64)) } else { Err(odd) }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = self;
        let unit = UNITS.iter().rev().find(|(_, unit)| bytes.is_multiple_of(*unit) && *bytes > 0);
        match unit {
            Some((name, unit)) => write!(f, "{}{name}", bytes / unit),
            None => write!(f, "{bytes}"),
        }
    }
}

/// A size or `off`.
pub(crate) fn or_off(text: &str) -> Result<Option<Size>, &'static str> {
    match text {
        "off" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| "write an amount of bytes as 200M or 1.5G, or off"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_values_are_one() {
        for text in ["200M", "1G", "1500K", "7"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        assert_eq!("1.5GiB".parse(), Ok(Size(3 << 29)));
        assert_eq!("64kb".parse(), Ok(Size(64 << 10)));
        for text in ["", "M", "-1M", "0", "200MM", "1e400", "inf", "NaN", "5%"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn off_is_none() {
        assert_eq!((or_off("off"), or_off("1K")), (Ok(None), Ok(Some(Size(1024)))));
        assert!(or_off("0").is_err());
    }
}

//! How much memory or processor time a group of processes may have, as people write it: `500M`, `150%`. Whether it can be had is nothing to
//! it.

/// Powers of 1024, as they are written behind a number.
const UNITS: [(&str, u64); 4] = [("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40)];
/// A thousand CPUs.
const MOST_PERCENT: u32 = 100_000;

/// Bytes, at least one.
pub(in crate::settings) fn bytes(text: &str) -> Result<u64, &'static str> {
    let with_unit = UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)));
    let (number, unit) = with_unit.unwrap_or((text, 1));
    let bytes = digits(number).and_then(|number| number.checked_mul(unit));
    bytes.filter(|bytes| (1..1 << 62).contains(bytes)).ok_or("write an amount of memory as 500M or 2G")
}

/// Percent of one CPU.
pub(in crate::settings) fn percent(text: &str) -> Result<u32, &'static str> {
    let number = text.strip_suffix('%').and_then(digits).and_then(|number| u32::try_from(number).ok());
    let number = number.filter(|percent| (1..=MOST_PERCENT).contains(percent));
    number.ok_or("write percent of one CPU, such as 50% or 150%")
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_shares() {
        assert_eq!(["1", "500M", "2G"].map(bytes), [Ok(1), Ok(500 << 20), Ok(2 << 30)]);
        assert_eq!(["1%", "150%", "100000%"].map(percent), [Ok(1), Ok(150), Ok(100_000)]);
        for text in ["", "0", "M", "-1", "1.5G", "80%", "99999999T", "500m"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        for text in ["", "%", "50", "0%", "100001%", "1.5%"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }
}

//! The time of day for log lines, as RFC 3339 in UTC. Nothing is decided by it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// As `2026-01-02T03:04:05.678Z`.
#[expect(clippy::disallowed_methods, reason = "a line of a log tells when it was written")]
pub(crate) fn now() -> String {
    rfc3339(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// As syslog has it on one machine, in the zone of this machine: `Jan  2 03:04:05`.
pub(crate) fn local() -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    #[expect(clippy::disallowed_methods, reason = "a line of a log tells when it was written")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = nix::libc::time_t::try_from(since.as_secs()).unwrap_or(0);
    // SAFETY: zeros are a moment as good as any, which is overwritten.
    let mut parts = unsafe { std::mem::zeroed::<nix::libc::tm>() };
    // SAFETY: both live until it returns.
    unsafe { nix::libc::localtime_r(&raw const seconds, &raw mut parts) };
    let month = usize::try_from(parts.tm_mon).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&"Jan");
    format!("{month} {:>2} {:02}:{:02}:{:02}", parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec)
}

/// The same of a moment in milliseconds since the Unix epoch.
pub(crate) fn of(ms: u64) -> String {
    rfc3339(Duration::from_millis(ms))
}

fn rfc3339(since: Duration) -> String {
    let seconds = since.as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let ms = since.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// The date of a day counted from 1970-01-01: years are taken to begin in March, so that the leap day is their last, and
/// are counted in cycles of 400, which have 146,097 days.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, five months in a row have 153 days.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = cycle * 400 + year + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::{local, now, rfc3339};
    use std::time::Duration;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_799, "2000-02-29T23:59:59.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(Duration::from_secs(seconds)), text);
        }
        assert_eq!(rfc3339(Duration::from_millis(1_767_323_045_678)), "2026-01-02T03:04:05.678Z");
        assert!(now().as_str() > "2025");
        assert_eq!(local().len(), "Jan  2 03:04:05".len());
    }
}

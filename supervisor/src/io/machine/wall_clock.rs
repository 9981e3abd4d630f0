//! Turns moments of the loop's clock into the time of day that people and other programs use. The only place that reads
//! the wall clock for the loop.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock {
    instant: Instant,
    milliseconds: u64,
}

impl WallClock {
    /// Takes `now` for the present.
    #[expect(clippy::disallowed_methods, reason = "the loop's clock has no date")]
    pub(crate) fn at(now: Instant) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { instant: now, milliseconds: milliseconds(since) }
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) fn wall(&self, moment: Instant) -> u64 {
        match moment.checked_duration_since(self.instant) {
            Some(after) => self.milliseconds.saturating_add(milliseconds(after)),
            None => self.milliseconds.saturating_sub(milliseconds(self.instant.duration_since(moment))),
        }
    }
}

/// Now, in milliseconds since the Unix epoch, for what is told to people.
#[expect(clippy::disallowed_methods, reason = "people have the same clock")]
pub(crate) fn now() -> u64 {
    milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// As a number; the longest there is for one that is too long.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any moment will do")]
    fn keeps_distances_both_ways() {
        let now = Instant::now();
        let clock = WallClock::at(now);
        let wall = clock.wall(now);
        assert_eq!(clock.wall(now + Duration::from_secs(5)), wall + 5000);
        if let Some(before) = now.checked_sub(Duration::from_secs(1)) {
            assert_eq!(clock.wall(before), wall - 1000);
        }
    }
}

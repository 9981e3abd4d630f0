//! A token bucket: so many requests a second, and as many at once. Reads no clock.

use std::time::{Duration, Instant};

/// Requests that a client may make in a second.
pub(super) const RATE: u32 = 1000;
/// One token, in the time it takes to come in.
const TOKEN: Duration = Duration::from_nanos(1_000_000_000 / RATE as u64);
const FULL: Duration = Duration::from_secs(1);

/// How much a client may still ask now, counted in time.
#[derive(Debug)]
pub(super) struct Bucket {
    level: Duration,
    at: Instant,
}

impl Bucket {
    pub(super) fn full(now: Instant) -> Self {
        Self { level: FULL, at: now }
    }

    /// Takes a token, or says when there will be one.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        self.level = (self.level + now.saturating_duration_since(self.at)).min(FULL);
        self.at = self.at.max(now);
        match self.level.checked_sub(TOKEN) {
            Some(rest) => {
                self.level = rest;
                Ok(())
            }
            None => Err(self.at + (TOKEN - self.level)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any moment will do to begin with")]
    fn so_many_a_second() {
        let begin = Instant::now();
        let mut bucket = Bucket::full(begin);
        let mut now = begin;
        let mut taken = 0;
        while now < begin + Duration::from_secs(3) {
            match bucket.take(now) {
                Ok(()) => taken += 1,
                Err(next) => {
                    assert!(next > now, "no progress");
                    now = next;
                }
            }
        }
        assert!((4 * RATE - 2..=4 * RATE).contains(&taken), "{taken}");
        // A clock that stands still, or a moment of before, gives nothing.
        assert!(bucket.take(begin).is_err());
    }
}

//! How often something may be said: a line that anybody can provoke must not fill a disk. Reads no clock and writes
//! nothing.

use std::fmt;
use std::time::{Duration, Instant};

/// So many lines in one span.
const LINES: u32 = 10;
const SPAN: Duration = Duration::from_secs(5);

/// Counts the lines of one kind.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    began: Option<Instant>,
    said: u32,
    hushed: u64,
}

/// How many lines were left out since the last one. Shown as the end of a line, empty if it is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hushed(u64);

impl Throttle {
    /// Whether a line may be written now.
    pub(crate) fn ask(&mut self, now: Instant) -> Option<Hushed> {
        if self.began.is_none_or(|began| now.saturating_duration_since(began) >= SPAN) {
            self.began = Some(now);
            self.said = 0;
        }
        if self.said >= LINES {
            self.hushed += 1;
            return None;
        }
        self.said += 1;
        Some(Hushed(std::mem::take(&mut self.hushed)))
    }
}

impl fmt::Display for Hushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, " ({count} lines like this were left out)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any moment will do to begin with")]
    fn a_flood_becomes_a_few_lines_and_a_count() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        let said = (0..1000).filter(|_| throttle.ask(now).is_some()).count();
        assert_eq!(said, LINES as usize);
        let next = throttle.ask(now + SPAN).map(|hushed| hushed.to_string());
        assert_eq!(next.as_deref(), Some(" (990 lines like this were left out)"));
        assert_eq!(throttle.ask(now + SPAN).map(|hushed| hushed.to_string()).as_deref(), Some(""));
    }
}

//! A time as people write it. It measures nothing.

use std::fmt;
use std::time::Duration;

/// A time as people write it: `12ms`, `1.5s`, `3m20s`, `2h05m`.
pub(in crate::event_loop) struct Span(pub(in crate::event_loop) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0 => write!(f, "{}ms", self.0.as_millis()),
            1..60 => write!(f, "{:.1}s", self.0.as_secs_f64()),
            60..3600 => write!(f, "{}m{:02}s", seconds / 60, seconds % 60),
            _ => write!(f, "{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_write_them() {
        let shown: Vec<String> =
            [12, 1_500, 200_000, 7_500_000].map(|ms| Span(Duration::from_millis(ms)).to_string()).into();
        assert_eq!(shown, ["12ms", "1.5s", "3m20s", "2h05m"]);
    }
}

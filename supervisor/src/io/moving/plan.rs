//! When requests may be kept waiting so that all connections come to rest at once: for short times first, with pauses as
//! long, and longer each time. Pure.

use std::time::{Duration, Instant};

/// The first time that requests are kept waiting.
const FIRST: Duration = Duration::from_millis(60);

/// What becomes of a request that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is let go once it is a tick old: its answer is then told from it by its age.
    Probe,
    /// It is kept, if what came before it on its connection is answered.
    Keep,
}

#[derive(Debug)]
pub(super) struct Plan {
    /// Before this, nothing waits for a connection that takes long.
    lenient_until: Instant,
    end: Instant,
    length: Duration,
    keeping_until: Option<Instant>,
    resting_until: Instant,
}

impl Plan {
    pub(super) fn new(now: Instant, patience: Duration) -> Self {
        Self {
            lenient_until: now + patience / 4,
            end: now + patience,
            length: FIRST,
            keeping_until: None,
            resting_until: now,
        }
    }

    /// `is_blocked`: some connection will not be between two requests soon.
    pub(super) fn step(&mut self, now: Instant, is_blocked: bool) -> Step {
        match self.keeping_until {
            Some(until) if now < until => Step::Keep,
            Some(_) => {
                self.keeping_until = None;
                self.resting_until = now + self.length;
                self.length *= 2;
                Step::Probe
            }
            None if now < self.resting_until || is_blocked && now < self.lenient_until => Step::Probe,
            None => {
                self.keeping_until = Some((now + self.length).min(self.end));
                Step::Keep
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "any moment will do to begin with")]
    fn begin() -> Instant {
        Instant::now()
    }

    #[test]
    fn longer_each_time_with_pauses() {
        let start = begin();
        let at = |ms| start + Duration::from_millis(ms);
        let mut plan = Plan::new(start, Duration::from_secs(20));
        let mut steps = Vec::new();
        for ms in (0..900).step_by(20) {
            let step = plan.step(at(ms), false);
            if steps.last().is_none_or(|(_, last)| *last != step) {
                steps.push((ms, step));
            }
        }
        use Step::{Keep, Probe};
        let wanted =
            [(0, Keep), (60, Probe), (120, Keep), (240, Probe), (360, Keep), (600, Probe), (840, Keep)];
        assert_eq!(steps, wanted);
    }

    #[test]
    fn nobody_waits_for_a_long_request_at_first() {
        let start = begin();
        let mut plan = Plan::new(start, Duration::from_secs(20));
        assert_eq!(plan.step(start, true), Step::Probe);
        assert_eq!(plan.step(start + Duration::from_millis(4999), true), Step::Probe);
        assert_eq!(plan.step(start + Duration::from_millis(5000), true), Step::Keep);
    }
}

//! When requests may be kept waiting so that all connections come to rest at once: for short times first, with pauses as
//! long, and longer each time. Pure.

use std::time::{Duration, Instant};

/// The first time that requests are kept waiting, and the time before it in which they are looked at one by one.
const FIRST: Duration = Duration::from_millis(60);
/// Looks at least while requests are kept, after the first, and while they are looked at one by one.
const KEPT_LOOKS: u32 = 5;
const PROBING_LOOKS: u32 = 2;

/// What becomes of a request that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing waits.
    Watch,
    /// It is let go once it is a tick old, alone, so that its answer is told from others.
    Probe,
    /// It is kept, if the answer before it on its connection is complete.
    Keep,
}

#[derive(Debug)]
pub(super) struct Plan {
    /// Before this, nothing waits for a connection that takes long.
    lenient_until: Instant,
    end: Instant,
    length: Duration,
    longest: Duration,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Watching,
    Probing(Span),
    Keeping(Span),
}

/// A time, and no fewer looks than some: a machine that does much else looks seldom.
#[derive(Debug)]
struct Span {
    until: Instant,
    looks: u32,
}

impl Span {
    fn is_over(&mut self, now: Instant) -> bool {
        let is_over = now >= self.until && self.looks == 0;
        self.looks = self.looks.saturating_sub(1);
        is_over
    }
}

impl Plan {
    /// What is silent for `old` is complete: it is not waited for longer.
    pub(super) fn new(now: Instant, patience: Duration, old: Duration) -> Self {
        Self {
            lenient_until: now + patience / 4,
            end: now + patience,
            length: FIRST,
            longest: old * 3 / 2,
            stage: Stage::Watching,
        }
    }

    /// `is_blocked`: some connection will not be between two requests soon.
    pub(super) fn step(&mut self, now: Instant, is_blocked: bool) -> Step {
        let mut probe = FIRST;
        if let Stage::Keeping(span) = &mut self.stage {
            if !span.is_over(now) && now < self.end {
                return Step::Keep;
            }
            probe = self.length;
            self.length = (self.length * 2).min(self.longest);
            self.stage = Stage::Watching;
        }
        if is_blocked && now < self.lenient_until {
            self.stage = Stage::Watching;
            return Step::Watch;
        }
        if let Stage::Probing(span) = &mut self.stage {
            if !span.is_over(now) {
                return Step::Probe;
            }
            self.stage = Stage::Keeping(Span { until: now + self.length, looks: KEPT_LOOKS });
            return Step::Keep;
        }
        self.stage = Stage::Probing(Span { until: now + probe, looks: PROBING_LOOKS });
        Step::Probe
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::begin;
    use super::*;

    #[test]
    fn longer_each_time_with_pauses() {
        let start = begin();
        let at = |ms| start + Duration::from_millis(ms);
        let mut plan = Plan::new(start, Duration::from_secs(20), Duration::from_millis(200));
        let mut steps = Vec::new();
        for ms in (0..1600).step_by(10) {
            let step = plan.step(at(ms), false);
            if steps.last().is_none_or(|(_, last)| *last != step) {
                steps.push((ms, step));
            }
        }
        use Step::{Keep, Probe};
        let wanted = [
            (0, Probe),
            (60, Keep),
            (120, Probe),
            (180, Keep),
            (300, Probe),
            (420, Keep),
            (660, Probe),
            (900, Keep),
            (1200, Probe),
            (1500, Keep),
        ];
        assert_eq!(steps, wanted);
    }

    #[test]
    fn nobody_waits_for_a_long_request_at_first() {
        let start = begin();
        let at = |ms| start + Duration::from_millis(ms);
        let mut plan = Plan::new(start, Duration::from_secs(20), Duration::from_secs(2));
        assert_eq!(plan.step(start, true), Step::Watch);
        assert_eq!(plan.step(at(100), false), Step::Probe);
        assert_eq!(plan.step(at(120), true), Step::Watch);
        assert_eq!(plan.step(at(4999), true), Step::Watch);
        for ms in [5000, 5030, 5040] {
            assert_eq!(plan.step(at(ms), true), Step::Probe);
        }
        assert_eq!(plan.step(at(5060), true), Step::Keep);
    }

    #[test]
    fn few_looks_are_enough_only_after_some() {
        let start = begin();
        let at = |look: u32| start + Duration::from_millis(500) * look;
        let mut plan = Plan::new(start, Duration::from_secs(60), Duration::from_secs(2));
        let steps: Vec<_> = (0..14).map(|look| plan.step(at(look), false)).collect();
        use Step::{Keep, Probe};
        assert_eq!(
            steps,
            [Probe, Probe, Probe, Keep, Keep, Keep, Keep, Keep, Keep, Probe, Probe, Probe, Keep, Keep]
        );
    }
}

//! What is known of one worker's health: its lag, whether it is a suspect for it, and what has been asked since.
//! It decides nothing about others and takes nobody out of rotation.

use std::time::{Duration, Instant};

/// A suspect comes back after so many good looks in a row.
const GOOD_LOOKS: u32 = 2;

/// The health of the process in a slot, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::pool) struct Health {
    last: Option<SuspicionLook>,
    suspicion: Option<Suspicion>,
    /// Until then it could not help what it did.
    ignored_until: Option<Instant>,
    /// `Examine` has been ordered and not been answered.
    pub(in crate::pool) asked: bool,
    /// The shell takes the worker to be a suspect, for its lag or for a lane.
    pub(in crate::pool) told: bool,
    /// It takes the place of a process that hung, and is not running yet.
    pub(in crate::pool) replacing: bool,
}

#[derive(Clone, Copy, Debug)]
struct SuspicionLook {
    at: Instant,
    lag: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Suspicion {
    since: Instant,
    good: u32,
    demand: bool,
}

impl Health {
    /// The lag was looked at. False if it had been at this very moment: that is no further look.
    pub(in crate::pool) fn look(&mut self, now: Instant, lag: Duration) -> bool {
        let further = self.last.is_none_or(|last| last.at < now);
        self.last = Some(SuspicionLook { at: now, lag });
        further
    }

    /// The lag when it was last looked at.
    pub(in crate::pool) fn lag(&self) -> Duration {
        self.last.map_or(Duration::ZERO, |last| last.lag)
    }

    /// The lag there would be now had nothing changed since it was looked at; nothing if that was longer ago than
    /// `fresh`, because only a lag that is too long is told each time.
    pub(in crate::pool) fn lag_now(&self, now: Instant, fresh: Duration) -> Duration {
        let since = |look: SuspicionLook| now.saturating_duration_since(look.at);
        let last = self.last.filter(|look| since(*look) <= fresh);
        last.map_or(Duration::ZERO, |look| look.lag.saturating_add(since(look)))
    }

    /// What it has not done until now is somebody else's doing.
    pub(in crate::pool) fn ignore_until(&mut self, now: Instant) {
        self.ignored_until = Some(now);
    }

    /// So much of a lag is its own.
    pub(in crate::pool) fn its_own(&self, now: Instant, lag: Duration) -> Duration {
        self.ignored_until.map_or(lag, |until| lag.min(now.saturating_duration_since(until)))
    }

    /// Since when it has been a suspect for its lag.
    #[cfg(test)]
    pub(in crate::pool) fn suspect_since(&self) -> Option<Instant> {
        self.suspicion.map(|suspicion| suspicion.since)
    }

    pub(in crate::pool) fn is_suspect(&self) -> bool {
        self.suspicion.is_some()
    }

    pub(in crate::pool) fn become_suspect(&mut self, now: Instant) {
        self.suspicion = Some(Suspicion { since: now, good: 0, demand: false });
    }

    /// Connections wait because of it.
    pub(in crate::pool) fn is_wanted(&mut self) {
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.demand = true;
        }
    }

    /// Connections have waited for it since it became a suspect.
    pub(in crate::pool) fn has_demand(&self) -> bool {
        self.suspicion.is_some_and(|suspicion| suspicion.demand)
    }

    /// A look at the suspect was bad.
    pub(in crate::pool) fn bad(&mut self) {
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.good = 0;
        }
    }

    /// A look was good. If that makes enough of them, it is no suspect any more; for how long it was is returned.
    pub(in crate::pool) fn good(&mut self, now: Instant) -> Option<Duration> {
        let suspicion = self.suspicion.as_mut()?;
        suspicion.good += 1;
        if suspicion.good < GOOD_LOOKS {
            return None;
        }
        let after = now.saturating_duration_since(suspicion.since);
        self.reset();
        Some(after)
    }

    /// It is no suspect for its lag, whatever was found.
    pub(in crate::pool) fn reset(&mut self) {
        self.suspicion = None;
        self.asked = false;
    }

    /// What was known is of a process that is not, or not to be, in service.
    pub(in crate::pool) fn forget(&mut self) {
        self.reset();
        self.last = None;
        self.ignored_until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::tests::sim::ms;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a virtual clock has to begin at some real instant")]
    fn a_lag_goes_on_until_it_is_old_and_two_good_looks_in_a_row_acquit() {
        let begin = Instant::now();
        let mut health = Health::default();
        assert!(health.look(begin, ms(700)));
        assert!(!health.look(begin, ms(800)));
        assert_eq!(health.lag_now(begin + ms(200), ms(1_000)), ms(1_000));
        assert_eq!(health.lag_now(begin + ms(1_001), ms(1_000)), Duration::ZERO);
        health.become_suspect(begin);
        assert_eq!(health.good(begin + ms(1)), None);
        health.bad();
        assert_eq!(health.good(begin + ms(2)), None);
        assert_eq!(health.good(begin + ms(3)), Some(ms(3)));
        assert!(!health.is_suspect());
        health.ignore_until(begin + ms(500));
        assert_eq!(health.its_own(begin + ms(600), ms(550)), ms(100));
        assert_eq!(health.its_own(begin + ms(600), ms(50)), ms(50));
        assert_eq!(health.good(begin + ms(4)), None);
    }
}

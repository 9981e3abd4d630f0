//! When anything but the core next has something due. Turns that only give out connections change none of it, and are too many to
//! ask everybody each time. It asks nobody itself.

use std::time::Instant;

/// The earliest of those times, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Timers {
    known: Option<Option<Instant>>,
}

impl Timers {
    /// Something has happened that may have changed it.
    pub(super) fn changed(&mut self) {
        self.known = None;
    }

    /// The time, if it is known; `Some(None)` is never.
    pub(super) fn known(&self) -> Option<Option<Instant>> {
        self.known
    }

    pub(super) fn know(&mut self, at: Option<Instant>) {
        self.known = Some(at);
    }

    /// Something may be due now. It is found out anew after this.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        if self.known.is_some_and(|at| at.is_none_or(|at| now < at)) {
            return false;
        }
        self.changed();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a time has to begin somewhere")]
    fn what_is_known_holds_until_it_is_due_or_changes() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut timers = Timers::default();
        assert!(timers.is_due(now), "nobody has been asked");
        timers.know(Some(later));
        assert!(!timers.is_due(now) && timers.known() == Some(Some(later)));
        assert!(timers.is_due(later) && timers.known().is_none());
        timers.know(None);
        assert!(!timers.is_due(later));
        timers.changed();
        assert!(timers.is_due(now));
    }
}

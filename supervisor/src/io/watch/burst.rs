//! Changes that belong together: an editor's save is several, a checkout thousands. Says when they are over; the time is told to it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// So long nothing more must have changed: longer than tools pause between two files of one change, and shorter than people wait for.
const SILENCE: Duration = Duration::from_millis(200);
/// Then it is over even if changes go on, or a program that writes below the place all the time would put off every reload.
const LONGEST: Duration = Duration::from_secs(2);

/// A path that has changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: PathBuf,
    /// It was not there before the burst: if it is not there afterwards either, nothing has changed.
    pub(super) is_new: bool,
}

/// The changes since the last burst was over.
#[derive(Debug, Default)]
pub(super) struct Burst {
    /// When the first was noted, and the last.
    times: Option<(Instant, Instant)>,
    /// In their order.
    changes: Vec<Change>,
    /// The same, to be found.
    pub(super) known: HashSet<PathBuf>,
}

impl Burst {
    /// Of a path that changes several times the first counts.
    pub(super) fn note(&mut self, now: Instant, path: PathBuf, is_new: bool) {
        let first = self.times.map_or(now, |(first, _)| first);
        self.times = Some((first, now));
        if self.known.insert(path.clone()) {
            self.changes.push(Change { path, is_new });
        }
    }

    /// When it is over, as far as is known by now.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        let (first, last) = self.times?;
        Some((last + SILENCE).min(first + LONGEST))
    }

    /// All of them; what is noted from now on is another burst.
    pub(super) fn take(&mut self) -> Vec<Change> {
        std::mem::take(self).changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "some moment to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn it_is_over_once_nothing_changes_for_a_while() {
        let start = start();
        let mut burst = Burst::default();
        assert_eq!(burst.ends_at(), None);
        burst.note(start, "a".into(), false);
        assert_eq!(burst.ends_at(), Some(start + SILENCE));
        let later = start + SILENCE / 2;
        burst.note(later, "b".into(), true);
        burst.note(later, "a".into(), true);
        assert_eq!(burst.ends_at(), Some(later + SILENCE));
        let told = burst.take();
        assert_eq!(
            told,
            [Change { path: "a".into(), is_new: false }, Change { path: "b".into(), is_new: true }]
        );
        assert_eq!((burst.ends_at(), burst.take()), (None, Vec::new()));
    }

    #[test]
    fn it_is_over_at_last_even_if_changes_go_on() {
        let start = start();
        let mut burst = Burst::default();
        let mut now = start;
        while burst.ends_at().is_none_or(|end| now < end) {
            burst.note(now, "a".into(), false);
            now += SILENCE / 4;
        }
        assert_eq!(burst.ends_at(), Some(start + LONGEST));
        assert!(now - start <= LONGEST + SILENCE);
        assert_eq!(burst.take().len(), 1);
        burst.note(now, "a".into(), false);
        assert_eq!(burst.ends_at(), Some(now + SILENCE), "the next one has its own time");
    }
}

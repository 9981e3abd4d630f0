//! Pipes that are not read for a while, so that who writes to them waits. It reads none.

use std::time::{Duration, Instant};

/// When to look whether there is room again.
const AGAIN: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
pub(super) struct Held {
    keys: Vec<usize>,
    look_at: Option<Instant>,
}

impl Held {
    /// This pipe is to be tried again soon.
    pub(super) fn add(&mut self, key: usize, now: Instant) {
        if !self.keys.contains(&key) {
            self.keys.push(key);
            self.look_at.get_or_insert(now + AGAIN);
        }
    }

    /// When to try.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.look_at
    }

    /// Those that are to be tried now.
    pub(super) fn take(&mut self) -> Vec<usize> {
        self.look_at = None;
        std::mem::take(&mut self.keys)
    }
}

//! The bytes of an input as a sequence of choices; when they have run out, zeros. It never fails.

use std::time::Duration;

/// What is left of the input.
#[derive(Debug)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Bytes<'_> {
    /// The next one, if there is one.
    pub(crate) fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    /// Two of them.
    pub(crate) fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// A number below the limit.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit.max(1)
    }

    /// True once in so many.
    pub(crate) fn once_in(&mut self, many: usize) -> bool {
        self.below(many) == many - 1
    }

    pub(crate) fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// One of these in milliseconds.
    pub(crate) fn ms(&mut self, choices: &[u64]) -> Duration {
        Duration::from_millis(self.of(choices))
    }

    /// One of these in milliseconds, or nothing.
    pub(crate) fn maybe_ms(&mut self, choices: &[u64]) -> Option<Duration> {
        match self.below(choices.len() + 1) {
            0 => None,
            n => choices.get(n - 1).map(|ms| Duration::from_millis(*ms)),
        }
    }
}

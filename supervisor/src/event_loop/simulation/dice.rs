//! What chance decides in a history: first the bytes that were given, then numbers that follow from the seed. The same seed and bytes
//! always decide the same.

use std::collections::VecDeque;
use std::time::Duration;

/// A source of decisions.
#[derive(Debug)]
pub(super) struct Dice {
    bytes: VecDeque<u8>,
    state: u64,
}

impl Dice {
    /// All follows from the seed.
    pub(super) fn seeded(seed: u64) -> Self {
        Self { bytes: VecDeque::new(), state: seed }
    }

    /// The bytes decide for as long as there are any.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let seed = bytes.iter().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
        Self { bytes: bytes.iter().copied().collect(), state: seed }
    }

    /// Any number. (SplitMix64, by which every seed is as good as any other.)
    pub(super) fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below this one, which is not 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        match self.bytes.pop_front() {
            Some(byte) if end <= 256 => u64::from(byte) % end,
            Some(byte) => (u64::from(byte) << 56 | self.number() >> 8) % end,
            None => self.number() % end,
        }
    }

    /// True once in so many times.
    pub(super) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub(super) fn of_these<T: Copy>(&mut self, these: &[T]) -> T {
        these[self.below(these.len() as u64) as usize]
    }

    /// A time between these two, in microseconds.
    pub(super) fn micros(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_micros(from + self.below(to - from + 1))
    }

    /// A time between these two, in milliseconds.
    pub(super) fn millis(&mut self, from: u64, to: u64) -> Duration {
        self.micros(from * 1_000, to * 1_000)
    }
}

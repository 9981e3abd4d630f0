//! What an open credit may accept: a number that belongs to one generation. A thread that took of one and comes too late neither
//! takes from the next nor gives back to it.

use super::sync::Ordering;
use super::{LanePage, NO_CEILING};

/// The number, and the lower half of a generation.
const LOWER: u64 = u32::MAX as u64;

/// What is left to accept by an open credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// One more, which is the caller's now.
    Taken,
    /// Its ceiling is reached.
    Reached,
    /// Another credit has taken its place.
    Replaced,
}

impl LanePage {
    /// One connection is about to be accepted by the open credit of this generation.
    pub fn take_allowance(&self, generation: u64) -> Allowance {
        let mut now = self.allowance.0.load(Ordering::SeqCst);
        loop {
            match (now >> 32 == generation & LOWER, (now & LOWER) as u32) {
                (false, _) => return Allowance::Replaced,
                (true, 0) => return Allowance::Reached,
                (true, NO_CEILING) => return Allowance::Taken,
                (true, _) => {}
            }
            match self.allowance.0.compare_exchange(now, now - 1, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return Allowance::Taken,
                Err(other) => now = other,
            }
        }
    }

    /// None was accepted after all. Of a credit that has been replaced nothing is given back.
    pub fn return_allowance(&self, generation: u64) {
        let mut now = self.allowance.0.load(Ordering::SeqCst);
        while now >> 32 == generation & LOWER && (now & LOWER) as u32 != NO_CEILING {
            match self.allowance.0.compare_exchange(now, now + 1, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return,
                Err(other) => now = other,
            }
        }
    }

    /// The first half of [`LanePage::open`].
    pub(super) fn allow(&self, generation: u64, ceiling: u32) {
        self.allowance.0.store(generation << 32 | u64::from(ceiling), Ordering::SeqCst);
    }
}

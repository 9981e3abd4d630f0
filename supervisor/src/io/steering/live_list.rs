//! The list of live slots in memory that a program in the kernel reads: filled in the half that it does not read, and changed by one store.

use crate::io::kernel::memory::Memory;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Members of one group. A reload may have two processes for each of the 1,024 workers that are possible.
pub(crate) const MOST: usize = 2048;
/// Where it says which half counts, with how many slots; and where both halves begin. The programs know these offsets.
pub(crate) const LIVE: i16 = 8;
pub(crate) const SLOTS: i16 = 64;
/// What follows behind both halves.
pub(crate) const BEHIND: i16 = SLOTS + (2 * MOST * size_of::<u32>()) as i16;

/// What it says now.
#[derive(Debug, Default)]
pub(crate) struct LiveList {
    second: bool,
    slots: Vec<u32>,
}

impl LiveList {
    /// From now on the program chooses among these slots, in this order. What it said before, if that was something else.
    pub(crate) fn set(&mut self, slots: &[u32], memory: &Memory) -> Option<Vec<u32>> {
        let slots = &slots[..slots.len().min(MOST)];
        if self.slots == slots {
            return None;
        }
        self.second = !self.second;
        let base = if self.second { MOST } else { 0 };
        for (place, slot) in slots.iter().enumerate() {
            // SAFETY: an atomic number is valid for any bytes.
            let word: Option<&AtomicU32> =
                unsafe { memory.at(SLOTS as usize + (base + place) * size_of::<u32>()) };
            if let Some(word) = word {
                word.store(*slot, Ordering::Relaxed);
            }
        }
        // SAFETY: as above.
        let live: Option<&AtomicU64> = unsafe { memory.at(LIVE as usize) };
        if let Some(live) = live {
            live.store((base as u64) << 32 | slots.len() as u64, Ordering::Release);
        }
        Some(std::mem::replace(&mut self.slots, slots.to_vec()))
    }
}

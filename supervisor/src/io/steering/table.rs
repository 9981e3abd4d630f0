//! The table by which the steering program chooses: memory that the kernel and the supervisor both have. The supervisor writes which
//! members are live, by one store; the program writes how many connections each was given. It chooses nothing itself.

use super::live_list::{BEHIND, LiveList, MOST};
use crate::io::kernel::bpf::{self, ARRAY, MMAPABLE, NUMBERS, Shape};
use crate::io::kernel::memory::Memory;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// Offsets of the parts, as the program knows them.
pub(super) const TURN: i16 = 0;
pub(super) const REFUSE: i16 = 16;
pub(super) const GIVEN: i16 = BEHIND;
/// What is seen of each slot's worker stands so far behind what it was given.
pub(super) const SEEN_AFTER_GIVEN: i32 = (MOST * size_of::<u64>()) as i32;
/// Of the whole, in pages as memory is mapped.
const SIZE: usize = (GIVEN as usize + 2 * MOST * size_of::<u64>()).next_multiple_of(4096);

/// The table of one group.
#[derive(Debug)]
pub(super) struct Table {
    memory: Memory,
    live: LiveList,
}

impl Table {
    pub(super) fn new() -> io::Result<Self> {
        let shape =
            Shape { kind: ARRAY, key_size: NUMBERS, value_size: SIZE as u32, entries: 1, flags: MMAPABLE };
        let map = bpf::create_map("clm_table", shape, None)?;
        let size = NonZeroUsize::new(SIZE).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self { memory: Memory::map(map, size)?, live: LiveList::default() })
    }

    /// From now on the program rotates over these slots, in this order. The half that it does not read is filled first, and one store
    /// makes it read that one: no connection sees anything in between.
    pub(super) fn set_live(&mut self, slots: &[u32]) {
        self.live.set(slots, &self.memory);
    }

    /// Who connects is told at once that there is nobody; or no longer.
    pub(super) fn refuse(&self, on: bool) {
        if let Some(refuse) = self.number(REFUSE) {
            refuse.store(on.into(), Ordering::Release);
        }
    }

    /// How many connections the slot was given since it was last forgotten.
    pub(super) fn given(&self, slot: u32) -> u64 {
        self.number_at(GIVEN as usize + slot as usize * size_of::<u64>())
            .map_or(0, |given| given.load(Ordering::Relaxed))
    }

    /// The record at this place of the worker's page is that of the thread which accepts, and so many of what the slot was given were accepted
    /// by nobody or before. 0 is no place.
    pub(super) fn see(&self, slot: u32, place: u32, elsewhere: u32) {
        let offset = GIVEN as usize + SEEN_AFTER_GIVEN as usize + slot as usize * size_of::<u64>();
        if let Some(seen) = self.number_at(offset) {
            seen.store(u64::from(elsewhere) << 32 | u64::from(place), Ordering::Release);
        }
    }

    /// The slot is to be another member's.
    pub(super) fn forget(&self, slot: u32) {
        if let Some(given) = self.number_at(GIVEN as usize + slot as usize * size_of::<u64>()) {
            given.store(0, Ordering::Relaxed);
        }
        self.see(slot, 0, 0);
    }

    fn number(&self, offset: i16) -> Option<&AtomicU64> {
        self.number_at(offset as usize)
    }

    fn number_at(&self, offset: usize) -> Option<&AtomicU64> {
        // SAFETY: an atomic number is valid for any bytes.
        unsafe { self.memory.at(offset) }
    }
}

impl AsFd for Table {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

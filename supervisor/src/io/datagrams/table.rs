//! The table by which the program chooses for datagrams: memory that the kernel and the supervisor both have. The supervisor writes who is
//! live and whose flows are still theirs; the program counts. It chooses nothing itself.

use crate::io::kernel::bpf::{self, ARRAY, MMAPABLE, NUMBERS, Shape};
use crate::io::kernel::memory::Memory;
use crate::io::steering::live_list::{BEHIND, LiveList, MOST};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Offsets of the parts, as the program knows them.
pub(super) const GRACE: i16 = 16;
/// Of each slot, so many bytes: its generation and state, the datagrams that it was given, and how many flows.
pub(super) const MEMBERS: i16 = BEHIND;
pub(super) const MEMBER_SHIFT: i32 = 5;
pub(super) const STATE: i16 = MEMBERS;
pub(super) const DATAGRAMS: i16 = MEMBERS + 8;
pub(super) const FLOWS: i16 = MEMBERS + 16;
/// States of a slot: flows that it was given go to others; it keeps those that are not silent; it keeps all, and gets new ones.
const GONE: u64 = 0;
const LEAVES: u64 = 1;
pub(super) const IS_LIVE: u64 = 2;
/// Of the whole, in pages as memory is mapped.
const SIZE: usize = (MEMBERS as usize + (MOST << MEMBER_SHIFT)).next_multiple_of(4096);

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
        let map = bpf::create_map("clm_flow_table", shape, None)?;
        let size = NonZeroUsize::new(SIZE).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self { memory: Memory::map(map, size)?, live: LiveList::default() })
    }

    /// At a slot that is not live a flow is over once it has been silent for so long.
    pub(super) fn set_grace(&self, grace: Duration) {
        if let Some(word) = self.number(GRACE as usize) {
            word.store(u64::try_from(grace.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// From now on new flows are given to these slots, and those that were live keep what talks. The half that the program does not read
    /// is filled first, and one store makes it read that one: no datagram sees anything in between.
    pub(super) fn set_live(&mut self, slots: &[u32]) {
        slots.iter().for_each(|slot| self.set_state(*slot, |_| IS_LIVE));
        let Some(before) = self.live.set(slots, &self.memory) else { return };
        for slot in before.into_iter().filter(|slot| !slots.contains(slot)) {
            // One whose flows have been given up meanwhile does not get them back.
            self.set_state(slot, |state| state.min(LEAVES));
        }
    }

    /// The slot is another member's from now on: flows of the one before are not this one's.
    pub(super) fn begin(&self, slot: u32) {
        if let Some(word) = self.of(slot, STATE) {
            let generation = (word.load(Ordering::Relaxed) >> 32).wrapping_add(1);
            word.store(generation << 32 | LEAVES, Ordering::Release);
        }
        for counter in [DATAGRAMS, FLOWS] {
            if let Some(number) = self.of(slot, counter) {
                number.store(0, Ordering::Relaxed);
            }
        }
    }

    /// Flows that the slot was given go to others, each with its next datagram.
    pub(super) fn give_up(&self, slot: u32) {
        self.set_state(slot, |_| GONE);
    }

    fn set_state(&self, slot: u32, next: impl Fn(u64) -> u64) {
        if let Some(word) = self.of(slot, STATE) {
            let (generation, state) =
                (word.load(Ordering::Relaxed) >> 32, word.load(Ordering::Relaxed) as u32);
            word.store(generation << 32 | next(state.into()), Ordering::Release);
        }
    }

    /// How many datagrams the slot was given, and of how many flows.
    pub(super) fn given(&self, slot: u32) -> (u64, u64) {
        let read = |offset| self.of(slot, offset).map_or(0, |number| number.load(Ordering::Relaxed));
        (read(DATAGRAMS), read(FLOWS))
    }

    fn of(&self, slot: u32, offset: i16) -> Option<&AtomicU64> {
        let is_one = (slot as usize) < MOST;
        is_one.then(|| self.number(offset as usize + ((slot as usize) << MEMBER_SHIFT)))?
    }

    fn number(&self, offset: usize) -> Option<&AtomicU64> {
        // SAFETY: an atomic number is valid for any bytes.
        unsafe { self.memory.at(offset) }
    }
}

impl AsFd for Table {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

//! The release page: shared memory that the supervisor writes and workers only read. It tells which connections the
//! supervisor has let go of.
//!
//! A connection is the worker's alone once the supervisor has closed its copy. Until then a worker that is quick enough
//! to serve and close it would not really close it: its epoll would go on reporting events for it, with a pointer to
//! what the program has freed. So accept() does not return before the copy is closed, which takes about a microsecond
//! and has nearly always happened by then.

use core::sync::atomic::{AtomicU32, Ordering};

/// Lanes that can have a counter at the same time.
pub const SLOTS: u32 = 16_384;
/// Each counter has a cache line of its own.
const STRIDE: usize = 64;
/// Size of the page, in bytes.
pub const SIZE: usize = SLOTS as usize * STRIDE;

/// Names one handing-over: the `number`-th through the counter at `slot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub slot: u32,
    pub number: u32,
}

impl Ticket {
    /// Where the counter of this ticket stands in the page, in bytes; `None` if it is beyond it.
    pub fn offset(&self) -> Option<usize> {
        (self.slot < SLOTS).then_some(self.slot as usize * STRIDE)
    }

    /// The supervisor has closed its copy. Orders the close before it.
    pub fn release(&self, counter: &AtomicU32) {
        counter.store(self.number, Ordering::Release);
    }

    /// True once the copy of this ticket's connection is closed. Numbers wrap around.
    pub fn is_released(&self, counter: &AtomicU32) -> bool {
        counter.load(Ordering::Acquire).wrapping_sub(self.number) < u32::MAX / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_in_order_and_around_the_end() {
        let counter = AtomicU32::new(0);
        let at = |number| Ticket { slot: 0, number };
        assert!(at(0).is_released(&counter));
        assert!(!at(1).is_released(&counter));
        at(u32::MAX).release(&counter);
        assert!(at(u32::MAX - 1).is_released(&counter));
        assert!(!at(0).is_released(&counter));
        at(1).release(&counter);
        assert!(at(0).is_released(&counter) && at(u32::MAX).is_released(&counter));
    }

    #[test]
    fn offsets_stay_in_the_page() {
        assert_eq!(Ticket { slot: SLOTS, number: 0 }.offset(), None);
        assert_eq!(Ticket { slot: SLOTS - 1, number: 0 }.offset(), Some(SIZE - STRIDE));
    }
}

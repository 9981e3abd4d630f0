//! The atomics of the page: the machine's own, or those of loom, which tries all orders that the memory model permits.

#[cfg(all(test, loom))]
pub(super) use ::loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(all(test, loom)))]
pub(super) use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

//! Whether a lane is this process's own, by the number of its descriptor. The kernel clears it in a forked child, which so knows what it has
//! only inherited. It asks nobody.

use crate::kernel::memory;
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

/// It is this process's own, or stays shared.
pub(crate) const SETTLED: u8 = 2;

/// How many fd numbers there are states for; a lane beyond stays shared.
const NUMBERS: usize = 4096;

/// A state for each fd number.
static STATES: AtomicPtr<AtomicU8> = AtomicPtr::new(core::ptr::null_mut());

/// The fd is a lane that this process got by listening.
pub(crate) fn own(fd: i32) {
    if let Some(state) = state(fd) {
        state.store(SETTLED, Ordering::Release);
    }
}

/// What is known of the descriptor; `None` beyond the numbers that there is room for.
pub(crate) fn state(fd: i32) -> Option<&'static AtomicU8> {
    let at = usize::try_from(fd).ok().filter(|at| *at < NUMBERS)?;
    let mut states = STATES.load(Ordering::Acquire);
    if states.is_null() {
        states = map()?;
    }
    // SAFETY: a page of zeroes, mapped by `map` and never unmapped; any byte is a valid state.
    Some(unsafe { &*states.add(at) })
}

#[cold]
fn map() -> Option<*mut AtomicU8> {
    let states: *mut AtomicU8 = memory::map_wiped_on_fork().ok()?.cast();
    let none = core::ptr::null_mut();
    match STATES.compare_exchange(none, states, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Some(states),
        // Another thread was quicker. This page is one too many, once.
        Err(other) => Some(other),
    }
}

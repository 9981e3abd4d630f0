//! Listening sockets that stay the program's own, because the kernel chooses among those of the workers. By the numbers of their descriptors
//! it is known whose accepts are to be seen in the pulse page; nothing else depends on it, so that a number that stands for something else by
//! now does no harm.

use crate::abi::{F_GETFL, O_NONBLOCK};
use crate::{pulse, sys};
use core::ffi::c_int;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Numbers that there is room for; what is accepted by others is not seen.
const NUMBERS: usize = 4096;
static MEMBERS: [AtomicU64; NUMBERS / 64] = [const { AtomicU64::new(0) }; NUMBERS / 64];
static ANY: AtomicBool = AtomicBool::new(false);

fn bit(fd: c_int) -> Option<(&'static AtomicU64, u64)> {
    let fd = usize::try_from(fd).ok()?;
    Some((MEMBERS.get(fd / 64)?, 1 << (fd % 64)))
}

/// The descriptor is one.
pub(crate) fn own(fd: c_int) {
    ANY.store(true, Ordering::Relaxed);
    if let Some((word, bit)) = bit(fd) {
        word.fetch_or(bit, Ordering::Relaxed);
    }
}

/// It was one when last seen.
#[inline]
pub(crate) fn is(fd: c_int) -> bool {
    ANY.load(Ordering::Relaxed) && bit(fd).is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
}

/// The number has just been given to a connection.
pub(crate) fn is_new(fd: c_int) {
    if is(fd)
        && let Some((word, bit)) = bit(fd)
    {
        word.fetch_and(!bit, Ordering::Relaxed);
    }
}

/// Accepts by the kernel's call, and lets the supervisor see that in passing.
pub(crate) fn accept(fd: c_int, kernel: impl Fn() -> c_int) -> c_int {
    let blocks = || sys::fcntl(fd, F_GETFL, 0).is_ok_and(|flags| flags & O_NONBLOCK == 0);
    let entered = pulse::enter_accept(fd, blocks);
    let accepted = kernel();
    pulse::leave_accept(entered);
    if accepted >= 0 {
        pulse::accepted();
    }
    accepted
}

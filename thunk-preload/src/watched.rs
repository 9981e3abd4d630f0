//! Which lanes a thread is about to wait on by poll() or select(), read from the program's own arguments. It changes none.

use crate::abi::{POLLIN, POLLRDNORM, PollFd};
use crate::lane;
use clustermon_protocol::pulse::LaneMask;
use core::ffi::{c_int, c_long, c_void};

/// More than that, and they are not looked at: no program with so many preforks.
const MOST: usize = 1024;

/// Those of a poll().
///
/// # Safety
/// `fds` and `count` are the program's own for poll(): null, or readable for so many.
pub(crate) unsafe fn by_poll(fds: *const PollFd, count: c_long) -> LaneMask {
    let mut lanes = LaneMask::default();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if fds.is_null() || count > MOST || !lane::any() {
        return lanes;
    }
    for place in 0..count {
        // SAFETY: within what the program vouches for. The pointer may be unaligned, which the kernel would bear.
        let one = unsafe { fds.add(place).read_unaligned() };
        if one.events & (POLLIN | POLLRDNORM) != 0 && lane::hinted(one.fd) {
            lanes.add(one.fd);
        }
    }
    lanes
}

/// Those of a select().
///
/// # Safety
/// `read` and `count` are the program's own for select(): null, or readable for so many bits.
pub(crate) unsafe fn by_select(count: c_int, read: *const c_void) -> LaneMask {
    let mut lanes = LaneMask::default();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if read.is_null() || count > MOST || !lane::any() {
        return lanes;
    }
    let bytes: *const u8 = read.cast();
    lane::each_hinted(count, |fd| {
        // SAFETY: the bit is below the count that the program vouches for.
        let byte = unsafe { bytes.add(fd as usize / 8).read() };
        if byte >> (fd % 8) & 1 != 0 {
            lanes.add(fd);
        }
    });
    lanes
}

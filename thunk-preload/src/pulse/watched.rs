//! Which lanes a thread is about to wait on by poll() or select(), or has been told of, read from the program's own
//! arguments. It changes none.

use crate::kernel::abi::{POLLIN, POLLRDNORM, PollFd};
use crate::lanes::lane;
use crate::pulse::polled::{Told, ToldLanes};
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
    // SAFETY: passed on to the caller.
    let _ = unsafe {
        each_polled(fds, count, |one| {
            if one.events & (POLLIN | POLLRDNORM) != 0 && lane::hinted(one.fd) {
                lanes.add(one.fd);
            }
        })
    };
    lanes
}

/// Those of a select().
///
/// # Safety
/// `read` and `count` are the program's own for select(): null, or readable for so many bits.
pub(crate) unsafe fn by_select(count: c_int, read: *const c_void) -> LaneMask {
    let mut lanes = LaneMask::default();
    // SAFETY: passed on to the caller.
    let _ = unsafe { each_selected(count, read, |fd| lanes.add(fd)) };
    lanes
}

/// Those that poll() has found ready.
///
/// # Safety
/// As for [`by_poll`]; the kernel has written what it found.
pub(crate) unsafe fn ready_in_poll(fds: *const PollFd, count: c_long) -> Option<Told> {
    let mut lanes = ToldLanes::default();
    // SAFETY: passed on to the caller.
    let looked = unsafe {
        each_polled(fds, count, |one| {
            if one.revents != 0 && lane::may_be(one.fd) {
                lanes.add(one.fd);
            }
        })
    };
    if looked { lanes.told() } else { Some(Told::Something) }
}

/// Those that select() has found ready.
///
/// # Safety
/// As for [`by_select`]; the kernel has written what it found.
pub(crate) unsafe fn ready_in_select(count: c_int, read: *const c_void) -> Option<Told> {
    let mut lanes = ToldLanes::default();
    // SAFETY: passed on to the caller.
    let looked = unsafe { each_selected(count, read, |fd| lanes.add(fd)) };
    if looked { lanes.told() } else { Some(Told::Something) }
}

/// False if they are too many to be looked at.
///
/// # Safety
/// `fds` is null, or readable for `count`.
unsafe fn each_polled(fds: *const PollFd, count: c_long, mut visit: impl FnMut(PollFd)) -> bool {
    if fds.is_null() || !lane::any() {
        return true;
    }
    let Some(count) = usize::try_from(count).ok().filter(|count| *count <= MOST) else { return false };
    for place in 0..count {
        // SAFETY: within what the program vouches for. The pointer may be unaligned, which the kernel would bear.
        visit(unsafe { fds.add(place).read_unaligned() });
    }
    true
}

/// Visits the lanes among them. False if they are too many to be looked at.
///
/// # Safety
/// `read` is null, or readable for `count` bits.
unsafe fn each_selected(count: c_int, read: *const c_void, mut visit: impl FnMut(i32)) -> bool {
    if read.is_null() || !lane::any() {
        return true;
    }
    let Some(count) = usize::try_from(count).ok().filter(|count| *count <= MOST) else { return false };
    let bytes: *const u8 = read.cast();
    lane::each_hinted(count, |fd| {
        // SAFETY: the bit is below the count that the program vouches for.
        let byte = unsafe { bytes.add(fd as usize / 8).read() };
        if byte >> (fd % 8) & 1 != 0 {
            visit(fd);
        }
    });
    true
}

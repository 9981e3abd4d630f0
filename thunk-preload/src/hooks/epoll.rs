//! epoll_ctl and the waits on epoll sets. They are the kernel's; a wait may watch shared listening sockets beside the program's set, and
//! the pulse page is told when a thread goes in and comes out.

use super::wait::told;
use crate::credit::{self, Limit};
use crate::kernel::abi::{EpollEvent, Time};
use crate::lanes::lane;
use crate::pulse::polled::Told;
use crate::{pulse, real};
use core::ffi::{c_int, c_void};

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn epoll_ctl(
    set: c_int,
    operation: c_int,
    fd: c_int,
    event: *mut EpollEvent,
) -> c_int {
    if !lane::any() {
        // SAFETY: the program's own arguments.
        return unsafe { real::epoll_ctl(set, operation, fd, event) };
    }
    credit::registration_changes(set, fd);
    // SAFETY: the program's own arguments.
    let done = unsafe { real::epoll_ctl(set, operation, fd, event) };
    let errno = real::errno();
    credit::registration_changes(set, fd);
    real::set_errno(errno);
    done
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn epoll_wait(
    set: c_int,
    events: *mut EpollEvent,
    max: c_int,
    timeout: c_int,
) -> c_int {
    // SAFETY: the program's own arguments.
    unsafe {
        wait((set, events, max), of_milliseconds(timeout), |set, events, max, left| {
            real::epoll_wait(set, events, max, left.unwrap_or(timeout))
        })
    }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn epoll_pwait(
    set: c_int,
    events: *mut EpollEvent,
    max: c_int,
    timeout: c_int,
    mask: *const c_void,
) -> c_int {
    // SAFETY: the program's own arguments.
    unsafe {
        wait((set, events, max), of_milliseconds(timeout), |set, events, max, left| {
            real::epoll_pwait(set, events, max, left.unwrap_or(timeout), mask)
        })
    }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn epoll_pwait2(
    set: c_int,
    events: *mut EpollEvent,
    max: c_int,
    timeout: *const Time,
    mask: *const c_void,
) -> c_int {
    // SAFETY: the program's own arguments: null, or one timespec.
    let limit = unsafe { timeout.as_ref() }.map_or(Limit::None, |time| {
        let seconds = time.seconds.max(0) as u64;
        Limit::Nanoseconds(seconds.saturating_mul(1_000_000_000).saturating_add(time.fraction.max(0) as u64))
    });
    // SAFETY: the program's own arguments.
    unsafe {
        wait((set, events, max), limit, |set, events, max, left| match left {
            Some(left) => real::epoll_pwait(set, events, max, left, mask),
            None => real::epoll_pwait2(set, events, max, timeout, mask),
        })
    }
}

fn of_milliseconds(timeout: c_int) -> Limit {
    u64::try_from(timeout).map_or(Limit::None, |time| Limit::Nanoseconds(time * 1_000_000))
}

/// Waits as the program asks. A worker that has not listened, and perhaps never will, is seen from here on.
///
/// # Safety
/// The program's own arguments.
#[inline(always)]
unsafe fn wait(
    (set, events, max): (c_int, *mut EpollEvent, c_int),
    limit: Limit,
    call: impl Fn(c_int, *mut EpollEvent, c_int, Option<c_int>) -> c_int,
) -> c_int {
    pulse::attach_once();
    pulse::enter_set(set);
    // SAFETY: passed on to the caller.
    let ready = unsafe { credit::wait(set, events, max, limit, &call) };
    let ready = ready.unwrap_or_else(|| call(set, events, max, None));
    // By which descriptor something is ready only the program can tell.
    told(ready, || Some(Told::Set(set)))
}

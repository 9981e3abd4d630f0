//! The waits: epoll, poll and select. They are the kernel's; the pulse page is told when a thread goes in and comes out,
//! and one that comes out with something ready is marked, so that it is never left blocking in accept().

use crate::abi::{EpollEvent, PollFd, Time};
use crate::{lane, polled, pulse, real, watched};
use core::ffi::{c_int, c_long, c_void};

fn told(ready: c_int) -> c_int {
    if ready > 0 && lane::any() {
        polled::mark();
    }
    pulse::leave();
    ready
}

/// Declares hooks that call the real function and mark the thread.
macro_rules! waits {
    ($begin:ident $given:tt: $( $name:ident as $real:ident($($argument:ident: $type:ty),*); )*) => {
        $(
            #[unsafe(no_mangle)]
            pub(crate) unsafe extern "C-unwind" fn $name($($argument: $type),*) -> c_int {
                // SAFETY: the program's own arguments.
                unsafe { $begin $given };
                // SAFETY: the program's own arguments.
                told(unsafe { real::$real($($argument),*) })
            }
        )*
    };
}

/// An event loop begins to wait: a worker that has not listened, and perhaps never will, is seen from here on.
///
/// # Safety
/// Any number will do.
unsafe fn begin_loop(set: c_int) {
    pulse::attach_once();
    pulse::enter_set(set);
}

/// A poll() begins.
///
/// # Safety
/// The program's own arguments.
unsafe fn begin_poll(fds: *const PollFd, count: c_long) {
    // SAFETY: passed on to the caller.
    pulse::enter(|| unsafe { watched::by_poll(fds, count) });
}

/// A select() begins.
///
/// # Safety
/// The program's own arguments.
unsafe fn begin_select(count: c_int, read: *const c_void) {
    // SAFETY: passed on to the caller.
    pulse::enter(|| unsafe { watched::by_select(count, read) });
}

waits! {
    begin_loop (fd):
    epoll_wait as epoll_wait(fd: c_int, events: *mut EpollEvent, max: c_int, timeout: c_int);
    epoll_pwait as epoll_pwait(fd: c_int, events: *mut EpollEvent, max: c_int, timeout: c_int, mask: *const c_void);
    epoll_pwait2 as epoll_pwait2(fd: c_int, events: *mut EpollEvent, max: c_int, timeout: *const Time, mask: *const c_void);
}

waits! {
    begin_poll (fds, count):
    poll as poll(fds: *mut PollFd, count: c_long, timeout: c_int);
    ppoll as ppoll(fds: *mut PollFd, count: c_long, timeout: *const Time, mask: *const c_void);
    __poll_chk as poll_chk(fds: *mut PollFd, count: c_long, timeout: c_int, size: usize);
    __ppoll_chk as ppoll_chk(fds: *mut PollFd, count: c_long, timeout: *const Time, mask: *const c_void, size: usize);
}

waits! {
    begin_select (count, read):
    select as select(count: c_int, read: *mut c_void, write: *mut c_void, except: *mut c_void, timeout: *mut Time);
    pselect as pselect(count: c_int, read: *mut c_void, write: *mut c_void, except: *mut c_void, timeout: *const Time, mask: *const c_void);
}

//! poll and select. They are the kernel's; the pulse page is told when a thread goes in and comes out,
//! and one that comes out because a connection waits is marked, so that it is never left blocking in accept().

use crate::kernel::abi::{PollFd, Time};
use crate::lanes::lane;
use crate::pulse::polled::{self, Told};
use crate::pulse::watched::{self, ready_in_poll, ready_in_select};
use crate::{pulse, real};
use core::ffi::{c_int, c_long, c_void};

/// A wait has returned. `what` finds what the thread is told by it, and is asked only if there may be something.
pub(super) fn told(ready: c_int, what: impl FnOnce() -> Option<Told>) -> c_int {
    if ready > 0
        && lane::any()
        && let Some(told) = what()
    {
        polled::mark(told);
    }
    pulse::leave();
    ready
}

/// Declares hooks that call the real function and mark the thread by what it has found.
macro_rules! waits {
    ($begin:ident $given:tt, $found:ident $looked_at:tt; $( $name:ident as $real:ident($($argument:ident: $type:ty),*); )*) => {
        $(
            #[unsafe(no_mangle)]
            pub(crate) unsafe extern "C-unwind" fn $name($($argument: $type),*) -> c_int {
                // SAFETY: the program's own arguments.
                unsafe { $begin $given };
                // SAFETY: the program's own arguments.
                let ready = unsafe { real::$real($($argument),*) };
                // SAFETY: the kernel has said that something is ready in what the program gave it.
                told(ready, || unsafe { $found $looked_at })
            }
        )*
    };
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
    begin_poll (fds, count), ready_in_poll(fds, count);
    poll as poll(fds: *mut PollFd, count: c_long, timeout: c_int);
    ppoll as ppoll(fds: *mut PollFd, count: c_long, timeout: *const Time, mask: *const c_void);
    __poll_chk as poll_chk(fds: *mut PollFd, count: c_long, timeout: c_int, size: usize);
    __ppoll_chk as ppoll_chk(fds: *mut PollFd, count: c_long, timeout: *const Time, mask: *const c_void, size: usize);
}

waits! {
    begin_select (count, read), ready_in_select(count, read);
    select as select(count: c_int, read: *mut c_void, write: *mut c_void, except: *mut c_void, timeout: *mut Time);
    pselect as pselect(count: c_int, read: *mut c_void, write: *mut c_void, except: *mut c_void, timeout: *const Time, mask: *const c_void);
}

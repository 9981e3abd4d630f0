//! The functions that the hooks stand in front of: pointers found once, by the constructor, with raw system calls
//! where there is none. Blocking calls go through the C library's, so that they stay cancellation points. Nothing is
//! looked up inside a hook.

use crate::kernel::abi::{EpollEvent, Message, PollFd, Time};
use crate::kernel::sys::{self, nr};
use core::ffi::{CStr, c_char, c_int, c_long, c_void};
use core::sync::atomic::{AtomicPtr, Ordering};

// Weak, so that a process without one of them still starts; referred to from here only, because one strong reference
// in another object file would make the symbol strong.
core::arch::global_asm!(
    ".weak dlsym",
    ".weak dlerror",
    ".weak __errno_location",
    ".weak environ",
    ".section .data.rel.ro.clustermon, \"aw\"",
    ".balign 8",
    ".hidden clustermon_weak",
    ".globl clustermon_weak",
    "clustermon_weak:",
    ".quad dlsym",
    ".quad dlerror",
    ".quad __errno_location",
    ".quad environ",
    ".previous",
);

/// The addresses of the weak symbols, null where the process has none.
#[repr(C)]
struct Weak {
    dlsym: Option<unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void>,
    dlerror: Option<unsafe extern "C" fn() -> *mut c_char>,
    errno_location: Option<unsafe extern "C" fn() -> *mut c_int>,
    environ: *const *const *const c_char,
}

// SAFETY: never written after the dynamic linker filled it in.
unsafe impl Sync for Weak {}

unsafe extern "C" {
    static clustermon_weak: Weak;
}

fn weak() -> &'static Weak {
    // SAFETY: defined above with this layout, for the whole life of the library.
    unsafe { &*core::ptr::addr_of!(clustermon_weak) }
}

fn errno_place() -> Option<*mut c_int> {
    // SAFETY: it takes nothing and returns the place of this thread's errno.
    weak().errno_location.map(|location| unsafe { location() })
}

/// This thread's `errno`; 0 where there is none.
pub(crate) fn errno() -> c_int {
    // SAFETY: the C library's pointer is valid for this thread.
    errno_place().map_or(0, |place| unsafe { *place })
}

/// Sets this thread's `errno`.
pub(crate) fn set_errno(value: c_int) {
    if let Some(place) = errno_place() {
        // SAFETY: the C library's pointer is valid for this thread.
        unsafe { *place = value };
    }
}

/// What a C function returns: the number, or -1 with `errno` set.
pub(crate) fn answer(result: sys::Result<usize>) -> isize {
    match result {
        Ok(number) => number as isize,
        Err(error) => fail(error) as isize,
    }
}

/// -1 with `errno` set.
pub(crate) fn fail(error: c_int) -> c_int {
    set_errno(error);
    -1
}

/// Calls `visit` with each entry of the environment as it is now.
pub(crate) fn each_variable(mut visit: impl FnMut(&CStr)) {
    // SAFETY: null or the C library's variable. We read it as getenv does.
    let Some(&(mut entry)) = (unsafe { weak().environ.as_ref() }) else { return };
    // SAFETY: the array ends in a null pointer and its entries are C strings.
    unsafe {
        while !entry.is_null() && !(*entry).is_null() {
            visit(CStr::from_ptr(*entry));
            entry = entry.add(1);
        }
    }
}

/// A function of the C library; null until the constructor has run, or for ever.
struct Slot(AtomicPtr<c_void>);

impl Slot {
    const fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// False if there is none of this name.
    fn resolve(&self, name: &CStr) -> bool {
        let Some(dlsym) = weak().dlsym else { return true };
        let next = usize::MAX as *mut c_void;
        // SAFETY: RTLD_NEXT and a C string. The result is used after the call, so it
        // cannot become a tail call, for which the return address would no longer be ours.
        let found = unsafe { dlsym(next, name.as_ptr()) };
        self.0.store(core::hint::black_box(found), Ordering::Release);
        !found.is_null()
    }
}

/// Finds them all. Called once, by the constructor.
pub(crate) fn resolve() {
    let all = resolve_all() & data::resolve();
    // The message about what is missing would be the program's first.
    if let Some(dlerror) = weak().dlerror.filter(|_| !all) {
        // SAFETY: it takes nothing. What it returns is the C library's and is not read.
        core::hint::black_box(unsafe { dlerror() });
    }
}

/// Declares a table: each hooked function with its type and the raw system call that stands in for it; all have the same
/// calling convention and return the same type.
macro_rules! table {
    ($resolve:ident: extern $convention:literal -> $out:ty;
     $( $slot:ident $name:literal fn $function:ident($($argument:ident: $type:ty),*) = $fallback:expr; )*) => {
        $( static $slot: $crate::real::Slot = $crate::real::Slot::new(); )*

        /// Looks these up. False if one is missing.
        pub(super) fn $resolve() -> bool {
            let mut all = true;
            $( all &= $slot.resolve($name); )*
            all
        }

        $(
            /// The function of this name that comes after ours.
            ///
            /// # Safety
            /// As for the C function: the arguments are the program's.
            #[inline]
            pub(crate) unsafe fn $function($($argument: $type),*) -> $out {
                #[cold]
                #[inline(never)]
                fn missing($($argument: $type),*) -> $out {
                    $fallback
                }

                let found = $slot.0.load(::core::sync::atomic::Ordering::Acquire);
                if found.is_null() {
                    return missing($($argument),*);
                }
                // SAFETY: dlsym found it under this name, whose C type this is; the arguments are the caller's to vouch for.
                unsafe {
                    let function: unsafe extern $convention fn($($type),*) -> $out = core::mem::transmute(found);
                    function($($argument),*)
                }
            }
        )*
    };
}

/// The raw system call, answered as by a C function that returns a size.
macro_rules! sized {
    ($number:expr $(, $argument:expr)*) => {{
        let given = [$($argument as usize),*];
        let mut args = [0usize; 6];
        args[..given.len()].copy_from_slice(&given);
        // SAFETY: the program's own arguments; the kernel checks its pointers.
        let result = unsafe { $crate::kernel::sys::call($number, args) };
        $crate::real::answer($crate::kernel::sys::check(result))
    }};
}

/// The raw system call, answered as by a C function that returns an `int`.
macro_rules! raw {
    ($($given:tt)*) => { sized!($($given)*) as ::core::ffi::c_int };
}

/// CLOCK_MONOTONIC_COARSE in nanoseconds: no system call where the C library has the vDSO's clock.
pub(crate) fn coarse_now() -> u64 {
    const MONOTONIC_COARSE: c_int = 6;
    let mut time = Time { seconds: 0, fraction: 0 };
    // SAFETY: it writes one timespec.
    unsafe { clock_gettime(MONOTONIC_COARSE, &raw mut time) };
    (time.seconds as u64).wrapping_mul(1_000_000_000).wrapping_add(time.fraction as u64)
}

// After the macros that it uses.
pub(crate) mod call;
pub(crate) mod data;

table! { resolve_all: extern "C-unwind" -> c_int;
    CLOCK_GETTIME c"clock_gettime" fn clock_gettime(clock: c_int, time: *mut Time)
        = raw!(nr::CLOCK_GETTIME, clock, time);
    BIND c"bind" fn bind(fd: c_int, address: *const c_void, len: u32) = raw!(nr::BIND, fd, address, len);
    LISTEN c"listen" fn listen(fd: c_int, backlog: c_int) = raw!(nr::LISTEN, fd, backlog);
    CONNECT c"connect" fn connect(fd: c_int, address: *const c_void, len: u32) = raw!(nr::CONNECT, fd, address, len);
    ACCEPT c"accept" fn accept(fd: c_int, address: *mut c_void, len: *mut u32) = raw!(nr::ACCEPT4, fd, address, len);
    ACCEPT4 c"accept4" fn accept4(fd: c_int, address: *mut c_void, len: *mut u32, flags: c_int)
        = raw!(nr::ACCEPT4, fd, address, len, flags);
    RECVMSG c"recvmsg" fn recvmsg(fd: c_int, message: *mut Message, flags: c_int) = raw!(nr::RECVMSG, fd, message, flags);
    GETSOCKNAME c"getsockname" fn getsockname(fd: c_int, address: *mut c_void, len: *mut u32)
        = raw!(nr::GETSOCKNAME, fd, address, len);
    GETPEERNAME c"getpeername" fn getpeername(fd: c_int, address: *mut c_void, len: *mut u32)
        = raw!(nr::GETPEERNAME, fd, address, len);
    GETSOCKOPT c"getsockopt" fn getsockopt(fd: c_int, level: c_int, name: c_int, value: *mut c_void, len: *mut u32)
        = raw!(nr::GETSOCKOPT, fd, level, name, value, len);
    SETSOCKOPT c"setsockopt" fn setsockopt(fd: c_int, level: c_int, name: c_int, value: *const c_void, len: u32)
        = raw!(nr::SETSOCKOPT, fd, level, name, value, len);
    SHUTDOWN c"shutdown" fn shutdown(fd: c_int, how: c_int) = raw!(nr::SHUTDOWN, fd, how);
    UNLINK c"unlink" fn unlink(path: *const c_char) = raw!(nr::UNLINKAT, crate::kernel::abi::AT_FDCWD, path, 0);
    UNLINKAT c"unlinkat" fn unlinkat(dir: c_int, path: *const c_char, flags: c_int) = raw!(nr::UNLINKAT, dir, path, flags);
    REMOVE c"remove" fn remove(path: *const c_char) = {
        const EISDIR: c_int = 21;
        const REMOVEDIR: c_int = 0x200;
        let done = raw!(nr::UNLINKAT, crate::kernel::abi::AT_FDCWD, path, 0);
        if done < 0 && errno() == EISDIR { raw!(nr::UNLINKAT, crate::kernel::abi::AT_FDCWD, path, REMOVEDIR) } else { done }
    };
    EPOLL_WAIT c"epoll_wait" fn epoll_wait(fd: c_int, events: *mut EpollEvent, max: c_int, timeout: c_int)
        = raw!(nr::EPOLL_PWAIT, fd, events, max, timeout, 0, 8);
    EPOLL_PWAIT c"epoll_pwait"
        fn epoll_pwait(fd: c_int, events: *mut EpollEvent, max: c_int, timeout: c_int, mask: *const c_void)
        = raw!(nr::EPOLL_PWAIT, fd, events, max, timeout, mask, 8);
    EPOLL_PWAIT2 c"epoll_pwait2"
        fn epoll_pwait2(fd: c_int, events: *mut EpollEvent, max: c_int, timeout: *const Time, mask: *const c_void)
        = raw!(nr::EPOLL_PWAIT2, fd, events, max, timeout, mask, 8);
    EPOLL_CTL c"epoll_ctl" fn epoll_ctl(set: c_int, operation: c_int, fd: c_int, event: *mut EpollEvent)
        = raw!(nr::EPOLL_CTL, set, operation, fd, event);
    POLL c"poll" fn poll(fds: *mut PollFd, count: c_long, timeout: c_int) = {
        let time = Time { seconds: i64::from(timeout / 1000), fraction: i64::from(timeout % 1000) * 1_000_000 };
        let time: *const Time = if timeout < 0 { core::ptr::null() } else { &raw const time };
        raw!(nr::PPOLL, fds, count, time, 0, 8)
    };
    PPOLL c"ppoll" fn ppoll(fds: *mut PollFd, count: c_long, timeout: *const Time, mask: *const c_void) = {
        // The kernel writes back what is left of the time; the C function does not.
        // SAFETY: the program's own pointer, null or a timespec.
        let time = unsafe { timeout.as_ref() }.map(|time| Time { seconds: time.seconds, fraction: time.fraction });
        let time: *const Time = time.as_ref().map_or(core::ptr::null(), |time| time);
        raw!(nr::PPOLL, fds, count, time, mask, 8)
    };
    POLL_CHK c"__poll_chk" fn poll_chk(fds: *mut PollFd, count: c_long, timeout: c_int, size: usize)
        = { let _ = size; unsafe_poll(fds, count, timeout) };
    PPOLL_CHK c"__ppoll_chk"
        fn ppoll_chk(fds: *mut PollFd, count: c_long, timeout: *const Time, mask: *const c_void, size: usize)
        = { let _ = size; unsafe_ppoll(fds, count, timeout, mask) };
    SELECT c"select" fn select(count: c_int, read: *mut c_void, write: *mut c_void, except: *mut c_void, timeout: *mut Time)
        = raw_select(count, read, write, except, timeout);
    PSELECT c"pselect"
        fn pselect(count: c_int, read: *mut c_void, write: *mut c_void, except: *mut c_void, timeout: *const Time,
                   mask: *const c_void) = {
        // SAFETY: the program's own pointer, null or a timespec, which pselect must not change.
        let time = unsafe { timeout.as_ref() }.map(|time| Time { seconds: time.seconds, fraction: time.fraction });
        let time: *const Time = time.as_ref().map_or(core::ptr::null(), |time| time);
        let mask = [mask as usize, 8];
        raw!(nr::PSELECT6, count, read, write, except, time, mask.as_ptr())
    };
}

fn unsafe_poll(fds: *mut PollFd, count: c_long, timeout: c_int) -> c_int {
    // SAFETY: the program's own arguments, as it gave them to the fortified form.
    unsafe { poll(fds, count, timeout) }
}

fn unsafe_ppoll(fds: *mut PollFd, count: c_long, timeout: *const Time, mask: *const c_void) -> c_int {
    // SAFETY: the program's own arguments, as it gave them to the fortified form.
    unsafe { ppoll(fds, count, timeout, mask) }
}

/// Linux's select writes back what is left of the time, in microseconds.
fn raw_select(
    count: c_int,
    read: *mut c_void,
    write: *mut c_void,
    except: *mut c_void,
    timeout: *mut Time,
) -> c_int {
    // SAFETY: the program's own pointer, null or a timeval.
    let mut time = unsafe { timeout.as_ref() }
        .map(|time| Time { seconds: time.seconds, fraction: time.fraction.wrapping_mul(1000) });
    let place: *mut Time = time.as_mut().map_or(core::ptr::null_mut(), |time| time);
    let result = raw!(nr::PSELECT6, count, read, write, except, place, 0);
    // SAFETY: as above, and the caller lent it for writing.
    if let (Some(left), Some(out)) = (time, unsafe { timeout.as_mut() }) {
        out.seconds = left.seconds;
        out.fraction = left.fraction / 1000;
    }
    result
}

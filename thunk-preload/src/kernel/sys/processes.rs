//! This process, its memory, and others: their numbers, whether they are there, and whether they have the same file.

use super::{Result, call, check, checked, nr};
use crate::kernel::abi::{EFAULT, ESRCH};
use core::ffi::c_void;

/// Whether the program may read so many bytes there, at most a page. The kernel is asked, by a call that reads a signal mask
/// and then finds that it does not know what to do with it.
pub(crate) fn is_readable(at: *const c_void, len: usize) -> bool {
    const WORD: usize = 8;
    let word_of = |at: usize| at & !(WORD - 1);
    let reads = |word: usize| {
        // SAFETY: an invalid `how` changes nothing; the kernel checks the pointer and reads one word there.
        let result = unsafe { checked(nr::RT_SIGPROCMASK, [usize::MAX, word, 0, WORD, 0, 0]) };
        result != Err(EFAULT)
    };
    let (first, last) = (word_of(at as usize), word_of((at as usize).wrapping_add(len.saturating_sub(1))));
    // A null pointer would mean that no mask is given.
    len == 0 || first != 0 && reads(first) && (first == last || reads(last))
}

/// The calling thread, in its own PID namespace.
pub(crate) fn gettid() -> u32 {
    // SAFETY: no memory is involved.
    unsafe { call(nr::GETTID, [0; 6]) as u32 }
}

pub(crate) fn getpid() -> u32 {
    // SAFETY: no memory is involved.
    unsafe { call(nr::GETPID, [0; 6]) as u32 }
}

/// The parent, in this process's PID namespace.
pub(crate) fn getppid() -> u32 {
    // SAFETY: no memory is involved.
    unsafe { call(nr::GETPPID, [0; 6]) as u32 }
}

/// Whether another process has the same open file under a number as this one, by kcmp(2). EBADF if it has none there.
pub(crate) fn same_file(pid: u32, fd: i32) -> Result<bool> {
    const FILE: usize = 0;
    // The process's number is that of its first thread, which may have ended and has no descriptors then.
    let args = [gettid() as usize, pid as usize, FILE, fd as usize, fd as usize, 0];
    // SAFETY: no memory is involved.
    unsafe { checked(nr::KCMP, args) }.map(|order| order == 0)
}

pub(crate) fn kill(pid: u32, signal: i32) {
    // SAFETY: no memory is involved.
    let _ = unsafe { call(nr::KILL, [pid as usize, signal as usize, 0, 0, 0, 0]) };
}

/// False if there is no process of that number.
pub(crate) fn is_there(pid: u32) -> bool {
    // SAFETY: no memory is involved; signal 0 is sent to nobody.
    check(unsafe { call(nr::KILL, [pid as usize, 0, 0, 0, 0, 0]) }) != Err(ESRCH)
}

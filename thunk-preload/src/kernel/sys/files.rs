//! Files and descriptors: open, read, write, what a directory or a link holds. It knows no sockets.

use super::{Result, call, checked, nr};
use crate::kernel::abi::Statx;
use core::ffi::{CStr, c_char, c_void};

/// A C string for a system call that reads a path.
pub(crate) fn open(path: &CStr, flags: i32) -> Result<i32> {
    let at_cwd = -100isize as usize;
    // SAFETY: the path ends in NUL and lives through the call.
    unsafe { checked(nr::OPENAT, [at_cwd, path.as_ptr() as usize, flags as usize, 0, 0, 0]) }
        .map(|fd| fd as i32)
}

pub(crate) fn read(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the buffer is ours for its length.
    unsafe { checked(nr::READ, [fd as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0]) }
}

pub(crate) fn write(fd: i32, bytes: &[u8]) -> Result<usize> {
    // SAFETY: the bytes are readable for their length.
    unsafe { checked(nr::WRITE, [fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0]) }
}

pub(crate) fn getdents(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the buffer is ours for its length.
    unsafe { checked(nr::GETDENTS64, [fd as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0]) }
}

pub(crate) fn readlinkat(dir: i32, name: &CStr, buffer: &mut [u8]) -> Result<usize> {
    let args = [dir as usize, name.as_ptr() as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0];
    // SAFETY: the name ends in NUL, the buffer is ours for its length.
    unsafe { checked(nr::READLINKAT, args) }
}

/// The working directory without its NUL.
pub(crate) fn getcwd(buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the buffer is ours for its length.
    let len = unsafe { checked(nr::GETCWD, [buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0, 0]) }?;
    Ok(len.saturating_sub(1))
}

pub(crate) fn close(fd: i32) {
    // SAFETY: no memory is involved.
    let _ = unsafe { call(nr::CLOSE, [fd as usize, 0, 0, 0, 0, 0]) };
}

pub(crate) fn dup3(from: i32, to: i32, flags: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    unsafe { checked(nr::DUP3, [from as usize, to as usize, flags as usize, 0, 0, 0]) }.map(drop)
}

/// `fcntl` commands whose argument is a number.
pub(crate) fn fcntl(fd: i32, command: i32, argument: usize) -> Result<i32> {
    // SAFETY: callers use number-argument commands only.
    unsafe { checked(nr::FCNTL, [fd as usize, command as usize, argument, 0, 0, 0]) }
        .map(|value| value as i32)
}

/// The soft limit on descriptors, if it is told.
pub(crate) fn descriptor_limit() -> Option<u64> {
    const NOFILE: usize = 7;
    let mut limit = [u64::MAX; 2];
    // SAFETY: the kernel writes two 64-bit numbers; no new limit is given.
    let read = unsafe { checked(nr::PRLIMIT64, [0, NOFILE, 0, limit.as_mut_ptr() as usize, 0, 0]) };
    read.ok().map(|_| limit[0])
}

/// `statx` without following a last symbolic link.
///
/// # Safety
/// `path` must be a C string or a pointer that the kernel may find invalid.
pub(crate) unsafe fn statx(dir: i32, path: *const c_char, out: &mut Statx) -> Result<()> {
    const NOFOLLOW: usize = 0x100;
    const BASIC: usize = 0x7ff;
    let args = [dir as usize, path as usize, NOFOLLOW, BASIC, out as *mut _ as *mut c_void as usize, 0];
    // SAFETY: `out` is a whole `struct statx`; the kernel checks the path pointer.
    unsafe { checked(nr::STATX, args) }.map(drop)
}

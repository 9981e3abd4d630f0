//! Waits and clocks: epoll sets, poll, pauses, and what time it is. No wait is without end.

use super::{Result, call, checked, gettid, nr};
use crate::kernel::abi::{ENOENT, EpollEvent, O_CLOEXEC, PollFd};
use core::sync::atomic::{AtomicI64, Ordering};

/// A new epoll set, closed on exec.
pub(crate) fn epoll_create() -> Result<i32> {
    // SAFETY: no memory is involved.
    unsafe { checked(nr::EPOLL_CREATE1, [O_CLOEXEC as usize, 0, 0, 0, 0, 0]) }.map(|fd| fd as i32)
}

pub(crate) fn epoll_ctl(epoll: i32, operation: i32, fd: i32, event: &mut EpollEvent) -> Result<()> {
    let args = [epoll as usize, operation as usize, fd as usize, event as *mut _ as usize, 0, 0];
    // SAFETY: the event is ours.
    unsafe { checked(nr::EPOLL_CTL, args) }.map(drop)
}

/// Whether the epoll set holds the open file of `fd` under that number, by kcmp(2).
pub(crate) fn is_in_epoll(epoll: i32, fd: i32) -> Result<bool> {
    const EPOLL_TFD: usize = 7;
    let me = gettid() as usize;
    // One number may be registered several times, for open files that had it one after the other.
    for nth in 0u32.. {
        // struct kcmp_epoll_slot: the set, the number, which of its registrations.
        let slot = [epoll as u32, fd as u32, nth];
        let args = [me, me, EPOLL_TFD, fd as usize, slot.as_ptr() as usize, 0];
        // SAFETY: the kernel reads the three numbers.
        match unsafe { checked(nr::KCMP, args) } {
            Ok(0) => return Ok(true),
            Ok(_) => {}
            Err(ENOENT) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Waits for nothing but the time, in milliseconds, or for one descriptor.
pub(crate) fn poll(fds: &mut [PollFd], milliseconds: i64) -> Result<usize> {
    let time = [milliseconds / 1000, milliseconds % 1000 * 1_000_000];
    // SAFETY: the array and the timespec are ours; no signal mask is given.
    unsafe { checked(nr::PPOLL, [fds.as_mut_ptr() as usize, fds.len(), time.as_ptr() as usize, 0, 8, 0]) }
}

/// CLOCK_MONOTONIC in milliseconds. Where the program has forbidden itself this call each look takes a millisecond, so that
/// no wait is without end.
pub(crate) fn now() -> i64 {
    static LOOKS: AtomicI64 = AtomicI64::new(0);
    let mut time = [0i64; 2];
    // SAFETY: the kernel writes one timespec.
    let result = unsafe { call(nr::CLOCK_GETTIME, [1, time.as_mut_ptr() as usize, 0, 0, 0, 0]) };
    if result < 0 {
        return LOOKS.fetch_add(1, Ordering::Relaxed);
    }
    time[0] * 1000 + time[1] / 1_000_000
}

/// CLOCK_REALTIME in seconds.
pub(crate) fn wall_seconds() -> i64 {
    let mut time = [0i64; 2];
    // SAFETY: the kernel writes one timespec.
    let _ = unsafe { call(nr::CLOCK_GETTIME, [0, time.as_mut_ptr() as usize, 0, 0, 0, 0]) };
    time[0]
}

pub(crate) fn sched_yield() {
    // SAFETY: no memory is involved.
    let _ = unsafe { call(nr::SCHED_YIELD, [0; 6]) };
}

/// Sleeps for some 20 us, so that others run: a yield alone gives a processor to nobody whose priority is lower.
pub(crate) fn pause() {
    let time = [0i64, 20_000];
    // SAFETY: no descriptors are waited for, the timespec is ours, and no signal mask is given.
    let _ = unsafe { call(nr::PPOLL, [0, 0, time.as_ptr() as usize, 0, 8, 0]) };
}

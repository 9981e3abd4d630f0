//! System calls without the C library: safe wrappers that return the error number and never touch `errno`. They are
//! for the thunk's own work; what the program asked for goes through [`crate::real`].

mod files;
pub(crate) mod nr;
mod processes;
mod sockets;
mod waits;

pub(crate) use self::files::{
    close, descriptor_limit, dup3, fcntl, getcwd, getdents, open, read, readlinkat, statx, write,
};
pub(crate) use self::processes::{getpid, getppid, gettid, is_readable, is_there, kill, same_file};
pub(crate) use self::sockets::{
    bind, connect, getpeername, getsockname, getsockopt, getsockopt_int, receive, recvmsg, send, sendmsg,
    setsockopt, setsockopt_int, shutdown, socket,
};
pub(crate) use self::waits::{
    epoll_create, epoll_ctl, is_in_epoll, now, pause, poll, sched_yield, wall_seconds,
};

/// An error number.
pub(crate) type Errno = i32;
/// What a system call returns: a number, or the error.
pub(crate) type Result<T> = core::result::Result<T, Errno>;

/// The system call itself.
///
/// # Safety
/// The arguments must be what this system call expects; pointers must be valid for what it reads and writes.
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn call(number: usize, args: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the kernel's calling convention; it clobbers rcx and r11 only, memory as the caller vouched for.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// The system call itself.
///
/// # Safety
/// The arguments must be what this system call expects; pointers must be valid for what it reads and writes.
#[cfg(target_arch = "aarch64")]
pub(crate) unsafe fn call(number: usize, args: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the kernel's calling convention; it clobbers x0 only, memory as the caller vouched for.
    unsafe {
        core::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") args[0] as isize => result,
            in("x1") args[1],
            in("x2") args[2],
            in("x3") args[3],
            in("x4") args[4],
            in("x5") args[5],
            options(nostack),
        );
    }
    result
}

/// Sorts a raw result into number and error.
pub(crate) fn check(result: isize) -> Result<usize> {
    if result < 0 { Err(-result as Errno) } else { Ok(result as usize) }
}

/// # Safety
/// As for [`call`].
pub(crate) unsafe fn checked(number: usize, args: [usize; 6]) -> Result<usize> {
    // SAFETY: passed on to the caller.
    check(unsafe { call(number, args) })
}

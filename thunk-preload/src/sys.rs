//! System calls without the C library: safe wrappers that return the error number and never touch `errno`. They are
//! for the thunk's own work; what the program asked for goes through [`crate::real`].

use core::ffi::{CStr, c_void};
use core::sync::atomic::{AtomicI64, Ordering};

/// An error number.
pub(crate) type Errno = i32;
/// What a system call returns: a number, or the error.
pub(crate) type Result<T> = core::result::Result<T, Errno>;

#[cfg(target_arch = "x86_64")]
pub(crate) mod nr {
    //! Numbers of the system calls used.
    pub(crate) const READ: usize = 0;
    pub(crate) const WRITE: usize = 1;
    pub(crate) const MMAP: usize = 9;
    pub(crate) const SCHED_YIELD: usize = 24;
    pub(crate) const MADVISE: usize = 28;
    pub(crate) const MUNMAP: usize = 11;
    pub(crate) const GETTID: usize = 186;
    pub(crate) const CLOSE: usize = 3;
    pub(crate) const RT_SIGPROCMASK: usize = 14;
    pub(crate) const CONNECT: usize = 42;
    pub(crate) const ACCEPT: usize = 43;
    pub(crate) const SENDTO: usize = 44;
    pub(crate) const RECVFROM: usize = 45;
    pub(crate) const SENDMSG: usize = 46;
    pub(crate) const RECVMSG: usize = 47;
    pub(crate) const SHUTDOWN: usize = 48;
    pub(crate) const BIND: usize = 49;
    pub(crate) const LISTEN: usize = 50;
    pub(crate) const GETSOCKNAME: usize = 51;
    pub(crate) const GETPEERNAME: usize = 52;
    pub(crate) const SOCKET: usize = 41;
    pub(crate) const SETSOCKOPT: usize = 54;
    pub(crate) const GETSOCKOPT: usize = 55;
    pub(crate) const FCNTL: usize = 72;
    pub(crate) const GETCWD: usize = 79;
    pub(crate) const GETPID: usize = 39;
    pub(crate) const GETPPID: usize = 110;
    pub(crate) const KCMP: usize = 312;
    pub(crate) const KILL: usize = 62;
    pub(crate) const UNLINKAT: usize = 263;
    pub(crate) const GETDENTS64: usize = 217;
    pub(crate) const CLOCK_GETTIME: usize = 228;
    pub(crate) const EPOLL_CTL: usize = 233;
    pub(crate) const EPOLL_CREATE1: usize = 291;
    pub(crate) const OPENAT: usize = 257;
    pub(crate) const READLINKAT: usize = 267;
    pub(crate) const PSELECT6: usize = 270;
    pub(crate) const PPOLL: usize = 271;
    pub(crate) const EPOLL_PWAIT: usize = 281;
    pub(crate) const ACCEPT4: usize = 288;
    pub(crate) const DUP3: usize = 292;
    pub(crate) const PRLIMIT64: usize = 302;
    pub(crate) const STATX: usize = 332;
    pub(crate) const EPOLL_PWAIT2: usize = 441;
}

#[cfg(target_arch = "aarch64")]
pub(crate) mod nr {
    //! Numbers of the system calls used.
    pub(crate) const GETCWD: usize = 17;
    pub(crate) const EPOLL_CTL: usize = 21;
    pub(crate) const EPOLL_CREATE1: usize = 20;
    pub(crate) const EPOLL_PWAIT: usize = 22;
    pub(crate) const DUP3: usize = 24;
    pub(crate) const FCNTL: usize = 25;
    pub(crate) const UNLINKAT: usize = 35;
    pub(crate) const OPENAT: usize = 56;
    pub(crate) const CLOSE: usize = 57;
    pub(crate) const GETDENTS64: usize = 61;
    pub(crate) const READ: usize = 63;
    pub(crate) const WRITE: usize = 64;
    pub(crate) const PSELECT6: usize = 72;
    pub(crate) const PPOLL: usize = 73;
    pub(crate) const READLINKAT: usize = 78;
    pub(crate) const CLOCK_GETTIME: usize = 113;
    pub(crate) const SCHED_YIELD: usize = 124;
    pub(crate) const GETTID: usize = 178;
    pub(crate) const MADVISE: usize = 233;
    pub(crate) const MMAP: usize = 222;
    pub(crate) const MUNMAP: usize = 215;
    pub(crate) const KILL: usize = 129;
    pub(crate) const GETPID: usize = 172;
    pub(crate) const GETPPID: usize = 173;
    pub(crate) const KCMP: usize = 272;
    pub(crate) const SOCKET: usize = 198;
    pub(crate) const BIND: usize = 200;
    pub(crate) const LISTEN: usize = 201;
    pub(crate) const ACCEPT: usize = 202;
    pub(crate) const CONNECT: usize = 203;
    pub(crate) const GETSOCKNAME: usize = 204;
    pub(crate) const GETPEERNAME: usize = 205;
    pub(crate) const SENDTO: usize = 206;
    pub(crate) const RECVFROM: usize = 207;
    pub(crate) const SETSOCKOPT: usize = 208;
    pub(crate) const GETSOCKOPT: usize = 209;
    pub(crate) const SHUTDOWN: usize = 210;
    pub(crate) const SENDMSG: usize = 211;
    pub(crate) const RECVMSG: usize = 212;
    pub(crate) const ACCEPT4: usize = 242;
    pub(crate) const RT_SIGPROCMASK: usize = 135;
    pub(crate) const PRLIMIT64: usize = 261;
    pub(crate) const STATX: usize = 291;
    pub(crate) const EPOLL_PWAIT2: usize = 441;
}

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

pub(crate) fn socket(family: i32, kind: i32) -> Result<i32> {
    // SAFETY: no memory is involved.
    unsafe { checked(nr::SOCKET, [family as usize, kind as usize, 0, 0, 0, 0]) }.map(|fd| fd as i32)
}

pub(crate) fn bind(fd: i32, address: &[u8]) -> Result<()> {
    // SAFETY: the address is readable for its length.
    unsafe { checked(nr::BIND, [fd as usize, address.as_ptr() as usize, address.len(), 0, 0, 0]) }.map(drop)
}

pub(crate) fn connect(fd: i32, address: &[u8]) -> Result<()> {
    // SAFETY: the address is readable for its length.
    unsafe { checked(nr::CONNECT, [fd as usize, address.as_ptr() as usize, address.len(), 0, 0, 0]) }
        .map(drop)
}

fn name(number: usize, fd: i32, buffer: &mut [u8]) -> Result<usize> {
    let mut len = buffer.len() as u32;
    let args = [fd as usize, buffer.as_mut_ptr() as usize, &raw mut len as usize, 0, 0, 0];
    // SAFETY: the kernel writes at most `len` bytes to the buffer, and the length.
    unsafe { checked(number, args) }?;
    Ok((len as usize).min(buffer.len()))
}

/// The socket's own address: how many bytes of `buffer` it fills.
pub(crate) fn getsockname(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    name(nr::GETSOCKNAME, fd, buffer)
}

/// The peer's address: how many bytes of `buffer` it fills.
pub(crate) fn getpeername(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    name(nr::GETPEERNAME, fd, buffer)
}

/// An option's value: how many bytes of `buffer` it fills.
pub(crate) fn getsockopt(fd: i32, level: i32, option: i32, buffer: &mut [u8]) -> Result<usize> {
    let mut len = buffer.len() as u32;
    let args = [
        fd as usize,
        level as usize,
        option as usize,
        buffer.as_mut_ptr() as usize,
        &raw mut len as usize,
        0,
    ];
    // SAFETY: the kernel writes at most `len` bytes to the buffer, and the length.
    unsafe { checked(nr::GETSOCKOPT, args) }?;
    Ok((len as usize).min(buffer.len()))
}

/// An option that is an `int`.
pub(crate) fn getsockopt_int(fd: i32, level: i32, option: i32) -> Result<i32> {
    let mut value = [0; 4];
    getsockopt(fd, level, option, &mut value)?;
    Ok(i32::from_ne_bytes(value))
}

pub(crate) fn setsockopt(fd: i32, level: i32, option: i32, value: &[u8]) -> Result<()> {
    let args = [fd as usize, level as usize, option as usize, value.as_ptr() as usize, value.len(), 0];
    // SAFETY: the value is readable for its length.
    unsafe { checked(nr::SETSOCKOPT, args) }.map(drop)
}

pub(crate) fn setsockopt_int(fd: i32, level: i32, option: i32, value: i32) -> Result<()> {
    setsockopt(fd, level, option, &value.to_ne_bytes())
}

pub(crate) fn send(fd: i32, bytes: &[u8], flags: i32) -> Result<usize> {
    let args = [fd as usize, bytes.as_ptr() as usize, bytes.len(), flags as usize, 0, 0];
    // SAFETY: the bytes are readable for their length; no address is given.
    unsafe { checked(nr::SENDTO, args) }
}

/// One message, without what may come beside it.
pub(crate) fn receive(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    let args = [fd as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0];
    // SAFETY: the buffer is ours for its length; no address is asked for.
    unsafe { checked(nr::RECVFROM, args) }
}

pub(crate) fn sendmsg(fd: i32, message: &crate::abi::Message, flags: i32) -> Result<usize> {
    // SAFETY: `Message` only points to memory that its maker keeps alive and initialised.
    unsafe { checked(nr::SENDMSG, [fd as usize, message as *const _ as usize, flags as usize, 0, 0, 0]) }
}

pub(crate) fn recvmsg(fd: i32, message: &mut crate::abi::Message, flags: i32) -> Result<usize> {
    // SAFETY: `Message` only points to writable memory of its maker, with the right lengths.
    unsafe { checked(nr::RECVMSG, [fd as usize, message as *mut _ as usize, flags as usize, 0, 0, 0]) }
}

pub(crate) fn shutdown(fd: i32, how: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    unsafe { checked(nr::SHUTDOWN, [fd as usize, how as usize, 0, 0, 0, 0]) }.map(drop)
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

/// A new epoll set, closed on exec.
pub(crate) fn epoll_create() -> Result<i32> {
    // SAFETY: no memory is involved.
    unsafe { checked(nr::EPOLL_CREATE1, [crate::abi::O_CLOEXEC as usize, 0, 0, 0, 0, 0]) }.map(|fd| fd as i32)
}

pub(crate) fn epoll_ctl(
    epoll: i32,
    operation: i32,
    fd: i32,
    event: &mut crate::abi::EpollEvent,
) -> Result<()> {
    let args = [epoll as usize, operation as usize, fd as usize, event as *mut _ as usize, 0, 0];
    // SAFETY: the event is ours.
    unsafe { checked(nr::EPOLL_CTL, args) }.map(drop)
}

/// Waits for nothing but the time, in milliseconds, or for one descriptor.
pub(crate) fn poll(fds: &mut [crate::abi::PollFd], milliseconds: i64) -> Result<usize> {
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

/// Whether the program may read so many bytes there, at most a page. The kernel is asked, by a call that reads a signal mask
/// and then finds that it does not know what to do with it.
pub(crate) fn is_readable(at: *const c_void, len: usize) -> bool {
    const WORD: usize = 8;
    let word_of = |at: usize| at & !(WORD - 1);
    let reads = |word: usize| {
        // SAFETY: an invalid `how` changes nothing; the kernel checks the pointer and reads one word there.
        let result = unsafe { checked(nr::RT_SIGPROCMASK, [usize::MAX, word, 0, WORD, 0, 0]) };
        result != Err(crate::abi::EFAULT)
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

pub(crate) fn getpid() -> u32 {
    // SAFETY: no memory is involved.
    unsafe { call(nr::GETPID, [0; 6]) as u32 }
}

/// The parent, in this process's PID namespace.
pub(crate) fn getppid() -> u32 {
    // SAFETY: no memory is involved.
    unsafe { call(nr::GETPPID, [0; 6]) as u32 }
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
            Err(crate::abi::ENOENT) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
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
    check(unsafe { call(nr::KILL, [pid as usize, 0, 0, 0, 0, 0]) }) != Err(crate::abi::ESRCH)
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
pub(crate) unsafe fn statx(
    dir: i32,
    path: *const core::ffi::c_char,
    out: &mut crate::abi::Statx,
) -> Result<()> {
    const NOFOLLOW: usize = 0x100;
    const BASIC: usize = 0x7ff;
    let args = [dir as usize, path as usize, NOFOLLOW, BASIC, out as *mut _ as *mut c_void as usize, 0];
    // SAFETY: `out` is a whole `struct statx`; the kernel checks the path pointer.
    unsafe { checked(nr::STATX, args) }.map(drop)
}

//! Descriptors of processes, and what is done by them: a signal that no other process can get, a wait, a copy of a descriptor.
//! It starts nothing and knows no worker.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// A descriptor that becomes readable when the process ends.
pub(crate) fn open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// The same of one thread. EINVAL before Linux 6.9.
pub(in crate::io) fn open_thread(tid: u32) -> io::Result<OwnedFd> {
    const PIDFD_THREAD: i32 = libc::O_EXCL;
    // SAFETY: no memory is involved.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, tid, PIDFD_THREAD) })
}

/// A copy of a descriptor of that process.
pub(in crate::io) fn copy_descriptor(pidfd: &OwnedFd, fd: i32) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0) })
}

fn owned(returned: libc::c_long) -> io::Result<OwnedFd> {
    let fd = i32::try_from(returned).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel has just made it for us, close-on-exec.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Asks a process to end by this signal. One that is stopped could not even take it in: it goes on.
pub(crate) fn ask(pidfd: &OwnedFd, signal: Signal) {
    send(pidfd, signal);
    send(pidfd, Signal::SIGCONT);
}

/// Sends a signal to exactly this process; one that is gone gets nothing.
pub(crate) fn send(pidfd: &OwnedFd, signal: Signal) {
    let nothing: *const libc::siginfo_t = std::ptr::null();
    // SAFETY: no siginfo is given.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal as i32, nothing, 0) };
}

/// Waits for the end of a process, no longer than told.
pub(crate) fn wait(pidfd: &OwnedFd, limit: Duration) {
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    let _ = poll(&mut fds, PollTimeout::try_from(limit).unwrap_or(PollTimeout::ZERO));
}

/// True if the process is known to have ended, whether it is reaped or not.
pub(crate) fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// Reaps a child if it has ended; true if it is gone.
pub(crate) fn reap(pid: u32) -> bool {
    !matches!(
        waitid(Id::Pid(Pid::from_raw(pid as i32)), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG),
        Ok(WaitStatus::StillAlive)
    )
}

/// True if a process with this number exists.
pub(crate) fn is_there(pid: u32) -> bool {
    // A number below zero would mean a group, or everybody.
    let Ok(pid) = i32::try_from(pid) else { return false };
    !matches!(nix::sys::signal::kill(Pid::from_raw(pid), None), Err(nix::Error::ESRCH))
}

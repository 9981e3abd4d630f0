//! What is done to the processes of a worker and asked of them by their descriptors: the calls that a simulation makes in another way. It
//! knows no worker.

use crate::io::kernel::pidfd;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Code(i32),
    Signal { signal: Signal, core_dumped: bool },
}

/// Signals to processes, and their ends. A process is named by its number and its descriptor.
pub(crate) trait ProcessCalls {
    /// Sends a signal to exactly this process; one that is gone gets nothing.
    fn send(&self, pid: u32, pidfd: &OwnedFd, signal: Signal);

    /// Sends a signal to the process group with this number.
    fn send_to_group(&self, group: u32, signal: Signal);

    /// How a child of this process ended; `None` if it lives. Once it is reaped its number may be another's.
    fn end_of(&self, pid: u32, pidfd: &OwnedFd, reap: bool) -> io::Result<Option<Ended>>;

    /// Asks a process to end by this signal. One that is stopped could not even take it in: it goes on.
    fn ask(&self, pid: u32, pidfd: &OwnedFd, signal: Signal) {
        self.send(pid, pidfd, signal);
        self.send(pid, pidfd, Signal::SIGCONT);
    }
}

/// The kernel's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KernelProcesses;

impl ProcessCalls for KernelProcesses {
    fn send(&self, _: u32, pidfd: &OwnedFd, signal: Signal) {
        pidfd::send(pidfd, signal);
    }

    fn send_to_group(&self, group: u32, signal: Signal) {
        let _ = killpg(Pid::from_raw(group as i32), signal);
    }

    fn end_of(&self, _: u32, pidfd: &OwnedFd, reap: bool) -> io::Result<Option<Ended>> {
        let mut flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
        flags.set(WaitPidFlag::WNOWAIT, !reap);
        Ok(match waitid(Id::PIDFd(pidfd.as_fd()), flags)? {
            WaitStatus::Exited(_, code) => Some(Ended::Code(code)),
            WaitStatus::Signaled(_, signal, core_dumped) => Some(Ended::Signal { signal, core_dumped }),
            _ => None,
        })
    }
}

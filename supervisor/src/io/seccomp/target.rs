//! The process whose call waits: its socket, as a copy of the descriptor, and how the descriptor is kept. Nothing is read from its
//! memory: a page of it may be made to never come, and what it holds can change after it was read.

use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::pidfd;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;

/// The process, as long as its call waits.
#[derive(Debug)]
pub(crate) struct Target {
    /// Its process number.
    pub(crate) pid: u32,
    tid: u32,
    pidfd: OwnedFd,
}

impl Target {
    /// That of a thread. What it finds counts only if the call still waits afterwards.
    pub(crate) fn of(tid: u32) -> io::Result<Self> {
        // 0 is a thread of a PID namespace that is not seen from here.
        let status = fs::read_to_string(format!("/proc/{tid}/status"))?;
        let pid =
            field(&status, "Tgid:").and_then(|text| text.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        // Where the kernel has no descriptors of threads, that of the process: threads share their descriptors as a rule.
        let pidfd = pidfd::open_thread(tid).or_else(|_| pidfd::open(pid))?;
        Ok(Self { pid, tid, pidfd })
    }

    /// A copy of the descriptor.
    pub(crate) fn socket(&self, fd: i32) -> io::Result<Foreign> {
        pidfd::copy_descriptor(&self.pidfd, fd).map(Foreign::from)
    }

    /// The descriptor is closed when the process executes another program. One that cannot be looked at is taken to be, as most are.
    pub(crate) fn closes_on_exec(&self, fd: i32) -> bool {
        let info = fs::read_to_string(format!("/proc/{}/fdinfo/{fd}", self.tid)).unwrap_or_default();
        let flags = field(&info, "flags:").and_then(|text| i32::from_str_radix(text, 8).ok());
        flags.is_none_or(|flags| flags & libc::O_CLOEXEC != 0)
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// Whether copies of descriptors can be had at all, tried with one of this process. Of another process the kernel may yet refuse.
pub(crate) fn can_copy_descriptors() -> io::Result<()> {
    let own = pidfd::open(std::process::id())?;
    pidfd::copy_descriptor(&own, std::os::fd::AsRawFd::as_raw_fd(&own)).map(drop)
}

//! Ctrl-C as something to wait for beside a socket, for a command that waits: it ends the waiting, not the action.
//! Installs no handler.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// SIGINT of this process, from when it was made.
#[derive(Debug)]
pub(crate) struct Interrupt(SignalFd);

/// What came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The descriptor can be read, or has ended.
    Readable,
    Interrupted,
    /// The time was up.
    Elapsed,
}

impl Interrupt {
    /// `None` where SIGINT is ignored, as in a shell's background job, or cannot be read: then it does what it does.
    pub(crate) fn new() -> Option<Self> {
        if crate::io::kernel::dispositions::is_ignored(Signal::SIGINT) {
            return None;
        }
        let mut wanted = SigSet::empty();
        wanted.add(Signal::SIGINT);
        let fd = SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).ok()?;
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&wanted), None).ok()?;
        Some(Self(fd))
    }
}

/// Waits until the descriptor can be read, SIGINT comes or the time is up.
pub(crate) fn wait(
    fd: BorrowedFd<'_>,
    interrupt: Option<&Interrupt>,
    limit: Option<Duration>,
) -> io::Result<Woken> {
    // A limit that poll() cannot hold is some weeks.
    let timeout = limit.map_or(PollTimeout::NONE, |limit| {
        PollTimeout::try_from(limit.as_millis()).unwrap_or(PollTimeout::MAX)
    });
    let mut asked = vec![PollFd::new(fd, PollFlags::POLLIN)];
    asked.extend(interrupt.map(|interrupt| PollFd::new(interrupt.0.as_fd(), PollFlags::POLLIN)));
    loop {
        match poll(&mut asked, timeout) {
            Ok(0) => return Ok(Woken::Elapsed),
            // What came with the key is worth more than the key.
            Ok(_) if asked[0].any().unwrap_or(true) => return Ok(Woken::Readable),
            Ok(_) => return Ok(Woken::Interrupted),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

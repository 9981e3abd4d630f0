//! Whether a child of this process is stopped, as by its terminal or by SIGSTOP. It continues nobody.

use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use std::os::fd::{AsFd, OwnedFd};

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suspension {
    Stopped(Signal),
    Continued,
}

/// The last that has happened to the child, if anything has since this was asked last. Its end is left to be waited for.
pub(crate) fn news(child: &OwnedFd) -> Option<Suspension> {
    let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WCONTINUED | WaitPidFlag::WNOHANG;
    let mut last = None;
    loop {
        match waitid(Id::PIDFd(child.as_fd()), flags) {
            Ok(WaitStatus::Stopped(_, signal)) => last = Some(Suspension::Stopped(signal)),
            Ok(WaitStatus::Continued(_)) => last = Some(Suspension::Continued),
            Ok(_) | Err(_) => return last,
        }
    }
}

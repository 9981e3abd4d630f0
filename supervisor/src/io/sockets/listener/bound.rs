//! A listening socket that is closed at once, so that its address is free when that is told, and closes nothing foreign with
//! it: what clients have sent on a unix socket that nobody accepted may hold descriptors. It never waits.

use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::sockopt::{do_not_linger, is_unix};
use nix::sys::socket::{Shutdown, SockFlag, accept4, shutdown};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// More connections than a queue holds.
const LONGEST_QUEUE: u32 = 1 << 16;

#[derive(Debug)]
pub(super) struct Bound {
    fd: OwnedFd,
    /// It is a service manager's, who goes on to have it: nothing is done to it.
    is_given: bool,
}

impl Bound {
    /// A copy of a service manager's.
    pub(super) fn given(fd: OwnedFd) -> Self {
        Self { fd, is_given: true }
    }
}

impl From<OwnedFd> for Bound {
    fn from(socket: OwnedFd) -> Self {
        Self { fd: socket, is_given: false }
    }
}

impl AsFd for Bound {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Bound {
    fn as_raw_fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if self.is_given {
            return;
        }
        if is_unix(self.as_fd()).is_ok_and(|unix| !unix) {
            // One that listens does not linger. If a worker has made something else of its copy, it does not either.
            do_not_linger(self.as_fd());
            return;
        }
        // Nobody connects from here on, and who has is closed elsewhere.
        let _ = shutdown(self.as_raw_fd(), Shutdown::Both);
        for _ in 0..LONGEST_QUEUE {
            match accept4(self.as_raw_fd(), SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK) {
                // SAFETY: accept4 has just made it for us.
                Ok(fd) => drop(Foreign::from(unsafe { OwnedFd::from_raw_fd(fd) })),
                Err(_) => return,
            }
        }
    }
}

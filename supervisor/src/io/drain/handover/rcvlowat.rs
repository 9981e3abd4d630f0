//! Keeps a worker from noticing the next request on a connection: a socket that has to hold many bytes before it is
//! readable (SO_RCVLOWAT). The bytes stay in the kernel; nothing is read, and nothing is lost.

use super::snapshot::{Processes, SeenConnection};
use crate::io::kernel::pidfd;
use crate::io::kernel::sockopt::{self, int_option, is_nonblocking};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Few requests have as many bytes; those that do are served as ever.
const ENOUGH: i32 = 32 * 1024;

/// What is frozen: what the program had asked for, by cookie, and the inode.
#[derive(Debug, Default)]
pub(super) struct Frozen {
    before: HashMap<u64, (u64, i32)>,
}

impl Frozen {
    pub(super) fn has(&self, cookie: u64) -> bool {
        self.before.contains_key(&cookie)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.before.is_empty()
    }

    /// Freezes a connection, if its program asks whether there is something to read and does not simply wait in a call: it
    /// would wait there for as many bytes. One that the worker has closed meanwhile is none.
    pub(super) fn freeze(&mut self, seen: &SeenConnection, processes: &Processes) -> io::Result<()> {
        match copy(seen.cookie, seen.inode, processes)? {
            Some(copy) => self.freeze_copy(seen, copy.as_fd()),
            None => Ok(()),
        }
    }

    /// The same by a copy of its descriptor.
    pub(super) fn freeze_copy(&mut self, seen: &SeenConnection, copy: BorrowedFd<'_>) -> io::Result<()> {
        if is_nonblocking(copy) {
            let before = int_option(copy, libc::SOL_SOCKET, libc::SO_RCVLOWAT)?;
            set(copy, ENOUGH)?;
            self.before.insert(seen.cookie, (seen.inode, before));
        }
        Ok(())
    }

    /// Lets all go. Inodes of those that were frozen.
    pub(super) fn thaw(&mut self, processes: &Processes) -> Vec<u64> {
        let mut thawed = Vec::new();
        for (cookie, (inode, before)) in self.before.drain() {
            match copy(cookie, inode, processes) {
                Ok(Some(copy)) => {
                    // It was possible before, and is as long as the socket is one.
                    let _ = set(copy.as_fd(), before);
                    thawed.push(inode);
                }
                Ok(None) => {}
                Err(error) => log::warn!("a connection stays frozen: {error}"),
            }
        }
        thawed
    }

    /// Lets one go, and answers a copy of its descriptor; `None` if it is not there any more.
    pub(super) fn thaw_one(&mut self, cookie: u64, processes: &Processes) -> io::Result<Option<OwnedFd>> {
        let Some((inode, before)) = self.before.get(&cookie) else { return Ok(None) };
        let copy = copy(cookie, *inode, processes)?;
        if let Some(copy) = &copy {
            set(copy.as_fd(), *before)?;
        }
        self.before.remove(&cookie);
        Ok(copy)
    }

    /// Lets one go that was taken.
    pub(super) fn thaw_taken(&mut self, cookie: u64, taken: BorrowedFd<'_>) {
        if let Some((_, before)) = self.before.remove(&cookie) {
            let _ = set(taken, before);
        }
    }
}

fn set(socket: BorrowedFd<'_>, bytes: i32) -> io::Result<()> {
    sockopt::set_option(socket, libc::SOL_SOCKET, libc::SO_RCVLOWAT, &bytes.to_ne_bytes())
}

/// A copy of a descriptor of the worker's; `None` if it is not there any more.
pub(super) fn copy(cookie: u64, inode: u64, processes: &Processes) -> io::Result<Option<OwnedFd>> {
    let Some((pid, fd)) = processes.places.get(&inode) else { return Ok(None) };
    let is_gone =
        |error: &io::Error| matches!(error.raw_os_error(), Some(libc::ESRCH | libc::EBADF | libc::EINVAL));
    let pidfd = match pidfd::open(*pid) {
        Err(error) if is_gone(&error) => return Ok(None),
        opened => opened?,
    };
    let copy = match pidfd::copy_descriptor(&pidfd, *fd) {
        Err(error) if is_gone(&error) => return Ok(None),
        copied => copied.map_err(|error| refused(*pid, &error))?,
    };
    // The number may be another's by now.
    let is_same = sockopt::cookie(copy.as_fd()).is_ok_and(|its| its == cookie);
    Ok(is_same.then_some(copy))
}

fn refused(pid: u32, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot take a descriptor of process {pid}: {error}"))
}

//! A connection, and accepting one from any listening socket. It is never read from.

use super::unblock;
use crate::ids::BalancerId;
use crate::io::kernel::sockopt::unnamed;
use clustermon_protocol::address::{Address, MAX};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A connection out of the kernel's accept queue, not yet a worker's.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) fd: OwnedFd,
    pub(crate) peer: Address,
    /// The state of its O_NONBLOCK.
    pub(crate) nonblock: bool,
    pub(crate) balancer: BalancerId,
}

/// Accepts one connection from any listening socket.
pub(in crate::io) fn accept_from(
    socket: BorrowedFd<'_>,
    nonblock: bool,
    balancer: BalancerId,
) -> io::Result<Connection> {
    let mut raw = [0u8; MAX + 2];
    let mut len = raw.len() as libc::socklen_t;
    let flags = libc::SOCK_CLOEXEC | if nonblock { libc::SOCK_NONBLOCK } else { 0 };
    let fd = unblock::watched(socket, || {
        // SAFETY: the kernel writes at most `len` bytes to the buffer, and the length.
        match unsafe { libc::accept4(socket.as_raw_fd(), raw.as_mut_ptr().cast(), &raw mut len, flags) } {
            fd if fd < 0 => Err(io::Error::last_os_error()),
            fd => Ok(fd),
        }
    })?;
    // SAFETY: the kernel has just made it for us.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let peer = raw.get(..len as usize).and_then(Address::from_raw).unwrap_or_else(unnamed);
    Ok(Connection { fd, peer, nonblock, balancer })
}

/// An error after which the same socket may well give a connection.
pub(super) fn is_passing(error: &io::Error) -> bool {
    let passing = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EINTR, libc::ECONNABORTED];
    error.raw_os_error().is_some_and(|number| passing.contains(&number))
}

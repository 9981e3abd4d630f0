//! Packet filters before a socket, in the kernel's older language: put there and taken away. It does not choose what passes.

use super::sockopt::set_option;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// One instruction; `jt` and `jf` are how many are skipped if it holds and if not.
pub(in crate::io) const fn step(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

/// `SO_ATTACH_REUSEPORT_CBPF`, and what detaches either kind of program.
const ATTACH_REUSEPORT: i32 = 51;
const DETACH_REUSEPORT: i32 = 68;

/// Puts a packet filter before a socket, in the place of the one that was there.
pub(in crate::io) fn attach(socket: BorrowedFd<'_>, filter: &mut [libc::sock_filter]) -> io::Result<()> {
    put(socket, libc::SO_ATTACH_FILTER, filter)
}

/// From now on this chooses among the sockets of the group that the socket belongs to, by their places in the kernel's list.
pub(in crate::io) fn attach_reuseport(
    socket: BorrowedFd<'_>,
    program: &mut [libc::sock_filter],
) -> io::Result<()> {
    put(socket, ATTACH_REUSEPORT, program)
}

/// Nothing chooses but the kernel's hash.
pub(in crate::io) fn detach_reuseport(socket: BorrowedFd<'_>) -> io::Result<()> {
    match set_option(socket, libc::SOL_SOCKET, DETACH_REUSEPORT, &[0; 4]) {
        // There was none.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        done => done,
    }
}

fn put(socket: BorrowedFd<'_>, option: i32, filter: &mut [libc::sock_filter]) -> io::Result<()> {
    let len = u16::try_from(filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog { len, filter: filter.as_mut_ptr() };
    // SAFETY: the option's value is the program, which points to as many instructions as it says; the kernel copies them.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Takes it away.
pub(in crate::io) fn detach(socket: BorrowedFd<'_>) {
    // It was attached, and a filter that is ours is not locked.
    let _ = set_option(socket, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, &[0; 4]);
}

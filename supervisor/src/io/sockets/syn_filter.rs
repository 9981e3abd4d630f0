//! Lets nobody new in at a listening socket while what is on its way is accepted, so that closing it afterwards resets no
//! client that has connected. It never accepts and never closes.

#[cfg(test)]
mod tests;

use super::sock_diag::{tcp, unix};
use crate::io::kernel::packet_filter::{attach, step};
use crate::io::kernel::sockopt::{is_unix, own_address, unacknowledged};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The packet that begins a handshake has SYN without ACK; it is dropped, all else goes on. The filter sees a packet from
/// its TCP header on.
const FILTER: [libc::sock_filter; 5] = [
    step(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, FLAGS_AT),
    step(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, SYN | ACK),
    step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, SYN),
    step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
];
const FLAGS_AT: u32 = 13;
const SYN: u32 = 0x02;
const ACK: u32 = 0x10;
/// Lets nobody new in: TCP clients get no answer and ask again (whoever listens then, or nobody, answers them), unix clients
/// are refused; accepting says EINVAL then once all is accepted. AlreadyExists if the program has a filter of its own:
/// nothing is changed then.
pub(crate) fn close(listener: BorrowedFd<'_>) -> io::Result<()> {
    if is_unix(listener)? {
        nix::sys::socket::shutdown(listener.as_raw_fd(), nix::sys::socket::Shutdown::Read)?;
        return Ok(());
    }
    if has_filter(listener)? {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the socket has a packet filter"));
    }
    attach(listener, &mut FILTER.clone())
}

/// Whether nobody is left who was let in and not accepted. Once it is closed that stays so. At one port, handshakes with
/// another socket count too; with SYN cookies in use for all, nobody can tell, and the answer is always no.
pub(crate) fn is_empty(listener: BorrowedFd<'_>) -> io::Result<bool> {
    if is_unix(listener)? {
        let inode = nix::sys::stat::fstat(listener)?.st_ino;
        return Ok(unix::waiting_at(inode)?.unwrap_or(0) == 0);
    }
    // First what is quickly seen. A handshake that ends goes to the queue: looked at in this order it is in one of them.
    if waiting(listener)? > 0 || handshakes(listener)? || waiting(listener)? > 0 {
        return Ok(false);
    }
    let cookies = std::fs::read("/proc/sys/net/ipv4/tcp_syncookies").unwrap_or_default();
    Ok(cookies.trim_ascii() != b"2")
}

/// Connections in the accept queue.
fn waiting(listener: BorrowedFd<'_>) -> io::Result<u32> {
    Ok(unacknowledged(listener)?.map_or(0, |(_, waiting)| waiting))
}

/// Whether a client has been answered and has not answered yet.
fn handshakes(listener: BorrowedFd<'_>) -> io::Result<bool> {
    let Some(port) = own_address(listener)?.port() else { return Ok(false) };
    let mut found = false;
    tcp::each(&[tcp::SYN_RECV], Some(&[port]), |_| found = true)?;
    Ok(found)
}

/// Whether there is a packet filter that `close` has not put there.
pub(in crate::io) fn has_filter(socket: BorrowedFd<'_>) -> io::Result<bool> {
    let mut found = [step(0, 0, 0, 0); FILTER.len()];
    // For this option alone it counts instructions.
    let mut count = found.len() as libc::socklen_t;
    // SAFETY: the kernel writes at most `count` instructions, and their number.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_GET_FILTER,
            found.as_mut_ptr().cast(),
            &raw mut count,
        )
    };
    if done < 0 {
        let error = io::Error::last_os_error();
        // EINVAL: longer than ours. EACCES: of a kind that is not shown.
        return match error.raw_os_error() {
            Some(libc::EINVAL | libc::EACCES) => Ok(true),
            _ => Err(error),
        };
    }
    let same =
        |a: &libc::sock_filter, b: &libc::sock_filter| (a.code, a.jt, a.jf, a.k) == (b.code, b.jt, b.jf, b.k);
    let is_ours = count as usize == FILTER.len() && std::iter::zip(&found, &FILTER).all(|(a, b)| same(a, b));
    Ok(count != 0 && !is_ours)
}

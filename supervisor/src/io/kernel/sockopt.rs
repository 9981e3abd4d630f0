//! What any socket is asked and told: its options, its names and how much waits in it, as bytes and numbers. It keeps nothing
//! and reads nothing that was sent.

use clustermon_protocol::address::{Address, MAX, UNIX};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `setsockopt` with the value as bytes.
pub(crate) fn set_option(fd: BorrowedFd<'_>, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    let len = value.len() as libc::socklen_t;
    // SAFETY: the value is readable for its length.
    let done = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value.as_ptr().cast(), len) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `getsockopt` into a buffer: how much of it is filled.
pub(crate) fn get_option(fd: BorrowedFd<'_>, level: i32, name: i32, value: &mut [u8]) -> io::Result<usize> {
    let mut len = value.len() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to the buffer, and the length.
    let done =
        unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, value.as_mut_ptr().cast(), &raw mut len) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(value.len().min(len as usize)) }
}

/// An option that is an `int`.
pub(crate) fn int_option(fd: BorrowedFd<'_>, level: i32, name: i32) -> io::Result<i32> {
    let mut value = [0; 4];
    get_option(fd, level, name, &mut value)?;
    Ok(i32::from_ne_bytes(value))
}

/// The kernel's number for the socket, which no other one has had or will have.
pub(crate) fn cookie(fd: BorrowedFd<'_>) -> io::Result<u64> {
    let mut value = [0; 8];
    get_option(fd, libc::SOL_SOCKET, libc::SO_COOKIE, &mut value)?;
    Ok(u64::from_ne_bytes(value))
}

/// The socket is of the unix family.
pub(in crate::io) fn is_unix(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(int_option(fd, libc::SOL_SOCKET, libc::SO_DOMAIN)? == libc::AF_UNIX)
}

/// A stream socket of IPv4 or IPv6, by TCP or MPTCP, as the kernel tells.
pub(crate) fn is_tcp(fd: BorrowedFd<'_>) -> bool {
    let is =
        |name, values: &[i32]| int_option(fd, libc::SOL_SOCKET, name).is_ok_and(|own| values.contains(&own));
    is(libc::SO_TYPE, &[libc::SOCK_STREAM])
        && is(libc::SO_DOMAIN, &[libc::AF_INET, libc::AF_INET6])
        && is(libc::SO_PROTOCOL, &[libc::IPPROTO_TCP, libc::IPPROTO_MPTCP])
}

/// Its close waits for nobody. Where there is no SO_LINGER to turn off nothing lingers.
pub(in crate::io) fn do_not_linger(fd: BorrowedFd<'_>) {
    let off = [0; size_of::<libc::linger>()];
    let _ = set_option(fd, libc::SOL_SOCKET, libc::SO_LINGER, &off);
}

/// A socket of any protocol, closed on exec.
pub(crate) fn open_socket(family: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Binds to the bytes of a `sockaddr`.
pub(crate) fn bind_raw(fd: BorrowedFd<'_>, address: &[u8]) -> io::Result<()> {
    let len = address.len() as libc::socklen_t;
    // SAFETY: the address is readable for its length.
    let done = unsafe { libc::bind(fd.as_raw_fd(), address.as_ptr().cast(), len) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `listen` with a backlog as programs give it.
pub(crate) fn listen(fd: BorrowedFd<'_>, backlog: i32) -> io::Result<()> {
    // SAFETY: no memory is involved.
    if unsafe { libc::listen(fd.as_raw_fd(), backlog) } < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// The kernel's address of a socket.
pub(crate) fn own_address(socket: BorrowedFd<'_>) -> io::Result<Address> {
    // SAFETY: `named` gives a buffer and its length; the kernel writes at most so many bytes, and the length.
    named(|raw, len| unsafe { libc::getsockname(socket.as_raw_fd(), raw, len) })
}

/// The address at the other end of a connection; one that has gone meanwhile has none.
pub(crate) fn peer_address(socket: BorrowedFd<'_>) -> Address {
    // SAFETY: `named` gives a buffer and its length; the kernel writes at most so many bytes, and the length.
    named(|raw, len| unsafe { libc::getpeername(socket.as_raw_fd(), raw, len) }).unwrap_or_else(|_| unnamed())
}

fn named(ask: impl FnOnce(*mut libc::sockaddr, *mut libc::socklen_t) -> i32) -> io::Result<Address> {
    let mut raw = [0u8; MAX];
    let mut len = raw.len() as libc::socklen_t;
    if ask(raw.as_mut_ptr().cast(), &raw mut len) < 0 {
        return Err(io::Error::last_os_error());
    }
    let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
    raw.get(..len as usize).and_then(Address::from_raw).ok_or_else(invalid)
}

/// What stands for a peer that has no address.
pub(crate) fn unnamed() -> Address {
    // A family alone is a well-formed unix address; were it not, IPv4's wildcard would stand in for 'unknown'.
    Address::from_raw(&UNIX.to_ne_bytes()).unwrap_or(Address::v4(std::net::Ipv4Addr::UNSPECIFIED, 0))
}

/// The state of O_NONBLOCK.
pub(crate) fn is_nonblocking(socket: BorrowedFd<'_>) -> bool {
    let flags = fcntl(socket, FcntlArg::F_GETFL).map(OFlag::from_bits_retain);
    flags.is_ok_and(|flags| flags.contains(OFlag::O_NONBLOCK))
}

/// Sets O_NONBLOCK, for all who have the socket.
pub(crate) fn set_nonblocking(socket: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(socket, FcntlArg::F_GETFL)?);
    fcntl(socket, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Takes O_NONBLOCK away, for all who have the socket.
pub(crate) fn set_blocking(socket: BorrowedFd<'_>) {
    if let Ok(flags) = fcntl(socket, FcntlArg::F_GETFL) {
        let flags = OFlag::from_bits_retain(flags) - OFlag::O_NONBLOCK;
        let _ = fcntl(socket, FcntlArg::F_SETFL(flags));
    }
}

/// Bytes that could be read.
pub(crate) fn unread(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: SIOCINQ writes one int.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(bytes.unsigned_abs()) }
}

/// The buffer space of what was sent and not yet received, in bytes.
pub(crate) fn unreceived(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: SIOCOUTQ writes one int.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(bytes.unsigned_abs()) }
}

/// How many connections wait in the queue of a listening TCP socket. `None` if it is no such socket.
pub(crate) fn queue_length(listener: BorrowedFd<'_>) -> Option<u32> {
    const LISTEN: u8 = 10;
    unacknowledged(listener).ok().flatten().filter(|(state, _)| *state == LISTEN).map(|(_, length)| length)
}

/// The state of a TCP socket, and `tcpi_unacked` of TCP_INFO, which of one that listens is the length of its queue (linux/tcp.h
/// and tcp_get_info in net/ipv4/tcp.c). `None` if the kernel does not tell as much.
pub(crate) fn unacknowledged(socket: BorrowedFd<'_>) -> io::Result<Option<(u8, u32)>> {
    const STATE: usize = 0;
    const UNACKED: usize = 24;
    let mut info = [0; UNACKED + 4];
    let len = get_option(socket, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info)?;
    let number = info[UNACKED..].first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
    Ok(number.filter(|_| len == info.len()).map(|number| (info[STATE], number)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    #[test]
    fn the_length_of_a_queue_is_told() {
        for address in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            assert_eq!(queue_length(listener.as_fd()), Some(0), "{address}");
            let port = listener.local_addr().unwrap().port();
            let host = if address.starts_with('1') { "127.0.0.1" } else { "::1" };
            let clients: Vec<_> = (0..3).map(|_| TcpStream::connect((host, port)).unwrap()).collect();
            assert_eq!(queue_length(listener.as_fd()), Some(3), "{address}");
            assert_eq!(queue_length(clients[0].as_fd()), None, "a connection has no queue");
        }
    }

    #[test]
    fn both_ends_have_names_and_numbers_of_their_own() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        assert_eq!(peer_address(client.as_fd()), own_address(server.as_fd()).unwrap());
        assert_ne!(cookie(client.as_fd()).unwrap(), cookie(server.as_fd()).unwrap());
        assert_eq!(peer_address(listener.as_fd()), unnamed());
    }

    #[test]
    fn what_waits_is_counted_at_both_ends() {
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!((unread(other.as_fd()).unwrap(), unreceived(one.as_fd()).unwrap()), (0, 0));
        std::io::Write::write_all(&mut &one, b"hello").unwrap();
        assert!(unread(other.as_fd()).unwrap() == 5 && unreceived(one.as_fd()).unwrap() > 0);
        assert!(!is_nonblocking(one.as_fd()));
        set_nonblocking(one.as_fd()).unwrap();
        assert!(is_nonblocking(one.as_fd()));
    }
}

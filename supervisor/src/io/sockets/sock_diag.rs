//! Asks the kernel about sockets (sock_diag over netlink): which listen on an address, which connections are still open,
//! and what moves on them. It only reads, and waits for nobody but the kernel.

pub(crate) mod tcp;
pub(crate) mod unix;

use clustermon_protocol::address::{Address, INET, INET6};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLMSG_DONE: u16 = 3;
const NLMSG_ERROR: u16 = 2;
const HEADER: usize = 16;
/// `struct inet_diag_msg`: family, state, timer, retrans; ports, addresses, interface, cookie; five numbers.
pub(super) const INET_DIAG_MSG: usize = 72;
const COOKIE_AT: usize = 44;
/// `struct unix_diag_msg`: family, type, state, a byte unused; inode, cookie.
const UNIX_DIAG_MSG: usize = 16;

/// Inodes of the TCP sockets that listen on exactly this address. With SO_REUSEPORT the kernel would let a second cluster
/// of the same user join in silence.
pub(crate) fn listening_on(address: &Address) -> io::Result<Vec<u64>> {
    let mut inodes = Vec::new();
    if [INET, INET6].contains(&address.family()) {
        dump(&tcp(address.family(), 1 << tcp::LISTEN), |message| inodes.extend(listener(message, address)))?;
    }
    Ok(inodes)
}

/// Inodes of the TCP sockets that keep others from listening on this address: they listen there, on every address, or on
/// one of those that are wanted. Where none does, those that are bound like this (where the kernel tells of them: since 6.8).
/// Those of exactly the address come first.
pub(crate) fn holding(address: &Address) -> io::Result<Vec<u64>> {
    for state in [tcp::LISTEN, tcp::BOUND] {
        let (mut exact, mut others) = (Vec::new(), Vec::new());
        for family in [INET, INET6] {
            dump(&tcp(family, 1 << state), |message| {
                if let Some(inode) = listener(message, address) {
                    exact.push(inode);
                } else if let Some((its, inode)) = local(message)
                    && its.port() == address.port()
                    && (address.is_wildcard() || its.is_wildcard())
                {
                    others.push(inode);
                }
            })?;
        }
        exact.append(&mut others);
        if !exact.is_empty() {
            return Ok(exact);
        }
    }
    Ok(Vec::new())
}

/// Calls `visit` with address and inode of every TCP socket that listens.
pub(crate) fn each_listener(mut visit: impl FnMut(Address, u64)) -> io::Result<()> {
    for family in [INET, INET6] {
        dump(&tcp(family, 1 << tcp::LISTEN), |message| {
            if let Some((address, inode)) = local(message) {
                visit(address, inode);
            }
        })?;
    }
    Ok(())
}

/// Calls `visit` with the cookie of every TCP connection of this machine that its owner has not closed.
pub(crate) fn each_open_connection(mut visit: impl FnMut(u64)) -> io::Result<()> {
    let open = 1 << tcp::ESTABLISHED | 1 << tcp::CLOSE_WAIT;
    for family in [INET, INET6] {
        dump(&tcp(family, open), |message| {
            if let Some(message) = message.get(..INET_DIAG_MSG) {
                visit(cookie(message, COOKIE_AT));
            }
        })?;
    }
    Ok(())
}

/// `struct inet_diag_req_v2` with an empty socket id.
pub(super) fn tcp(family: u16, states: u32) -> Vec<u8> {
    let mut request = vec![family as u8, libc::IPPROTO_TCP as u8, 0, 0];
    request.extend(states.to_ne_bytes());
    request.extend([0; 48]);
    request
}

/// Asks for a dump and calls `visit` with each message of it. An error means that something may have been left out: the
/// kernel broke the dump off, or the table changed under it.
pub(super) fn dump(request: &[u8], visit: impl FnMut(&[u8])) -> io::Result<()> {
    dump_as(SOCK_DIAG_BY_FAMILY, request, visit)
}

fn dump_as(kind: u16, request: &[u8], mut visit: impl FnMut(&[u8])) -> io::Result<()> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let protocol = Some(SockProtocol::NetlinkSockDiag);
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
    // `struct nlmsghdr`: length, type, flags, sequence, port.
    let mut message = Vec::with_capacity(HEADER + request.len());
    message.extend(((HEADER + request.len()) as u32).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(request);
    send(socket.as_raw_fd(), &message, MsgFlags::empty())?;

    let mut buffer = vec![0; 32 * 1024];
    loop {
        let len = match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Err(nix::Error::EINTR) => continue,
            received => received?,
        };
        if take(&buffer[..len], &mut visit)? {
            return Ok(());
        }
    }
}

/// Calls `visit` with each message of a part of a dump; true once it is the last part.
fn take(part: &[u8], visit: &mut impl FnMut(&[u8])) -> io::Result<bool> {
    let mut rest = part;
    while rest.len() >= HEADER {
        let size = number(rest, 0) as usize;
        let Some(body) = rest.get(HEADER..size) else { return Err(io::ErrorKind::InvalidData.into()) };
        let (kind, flags) = (u16::from_ne_bytes([rest[4], rest[5]]), u16::from_ne_bytes([rest[6], rest[7]]));
        if flags & NLM_F_DUMP_INTR != 0 {
            return Err(io::Error::from_raw_os_error(libc::EINTR));
        }
        match kind {
            // A dump that ends early says why in its last message.
            NLMSG_DONE | NLMSG_ERROR => {
                let errno = body.get(..4).map_or(0, |body| number(body, 0) as i32);
                let failed = kind == NLMSG_ERROR || errno < 0;
                return if failed {
                    Err(io::Error::from_raw_os_error(errno.wrapping_neg()))
                } else {
                    Ok(true)
                };
            }
            _ => visit(body),
        }
        rest = rest.get(size.next_multiple_of(4)..).unwrap_or(&[]);
    }
    // Without a last message it is not known that this was all.
    if part.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(false) }
}

/// The inode that an `inet_diag_msg` tells, if it is about this address.
fn listener(message: &[u8], address: &Address) -> Option<u64> {
    let (its, inode) = local(message)?;
    let same =
        its.family() == address.family() && its.ipv4() == address.ipv4() && its.ipv6() == address.ipv6();
    (same && its.port() == address.port()).then_some(inode)
}

/// The socket's own address and inode, as an `inet_diag_msg` tells them.
pub(super) fn local(message: &[u8]) -> Option<(Address, u64)> {
    let message = message.get(..INET_DIAG_MSG)?;
    let port = u16::from_be_bytes([message[4], message[5]]);
    let address = if u16::from(message[0]) == INET6 {
        Address::v6(Ipv6Addr::from(<[u8; 16]>::try_from(&message[8..24]).ok()?), port)
    } else {
        Address::v4(Ipv4Addr::new(message[8], message[9], message[10], message[11]), port)
    };
    Some((address, u64::from(number(message, 68))))
}

/// The attributes that follow the fixed part of a message: kind and value.
pub(super) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let head = rest.get(..4)?;
        let (len, kind) = (u16::from_ne_bytes([head[0], head[1]]), u16::from_ne_bytes([head[2], head[3]]));
        let value = rest.get(4..usize::from(len))?;
        rest = rest.get(usize::from(len).next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, value))
    })
}

/// The kernel's number of a socket, which it tells in two halves; the caller has made sure that they are there.
fn cookie(bytes: &[u8], at: usize) -> u64 {
    u64::from(number(bytes, at)) | u64::from(number(bytes, at + 4)) << 32
}

/// A 32-bit number; the caller has made sure that it is there.
pub(super) fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::kernel::sockopt::{self, own_address};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn finds_exactly_the_listener() {
        for ip in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(socket) = TcpListener::bind(ip) else { continue };
            let inode = nix::sys::stat::fstat(socket.as_fd()).unwrap().st_ino;
            let address = own_address(socket.as_fd()).unwrap();
            assert_eq!(listening_on(&address).unwrap(), [inode]);
            drop(socket);
            assert_eq!(listening_on(&address).unwrap(), [0u64; 0]);
        }
    }

    #[test]
    fn a_dump_that_may_lack_something_is_an_error() {
        let message = |kind: u16, flags: u16, body: &[u8]| {
            let mut message = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
            message.extend([kind.to_ne_bytes(), flags.to_ne_bytes()].concat());
            message.extend([0; 8]);
            message.extend(body);
            message
        };
        let taken = |part: &[u8]| {
            let mut seen = Vec::new();
            let end = take(part, &mut |body| seen.push(body.to_vec()));
            (end.map_err(|error| error.raw_os_error()), seen)
        };
        let socket = message(SOCK_DIAG_BY_FAMILY, 2, b"some");
        let done = |flags, errno: i32| message(NLMSG_DONE, flags, &errno.to_ne_bytes());
        let all = vec![b"some".to_vec()];
        assert_eq!(taken(&socket), (Ok(false), all.clone()));
        assert_eq!(taken(&[socket.clone(), done(2, 0)].concat()), (Ok(true), all.clone()));
        assert_eq!(
            taken(&[socket.clone(), done(2, -libc::ENOENT)].concat()),
            (Err(Some(libc::ENOENT)), all.clone())
        );
        let interrupted = 2 | NLM_F_DUMP_INTR;
        assert_eq!(taken(&[socket.clone(), done(interrupted, 0)].concat()), (Err(Some(libc::EINTR)), all));
        let refused = message(NLMSG_ERROR, 0, &(-libc::EPERM).to_ne_bytes());
        assert_eq!(taken(&refused), (Err(Some(libc::EPERM)), Vec::new()));
        assert_eq!(taken(&socket[..HEADER + 2]), (Err(None), Vec::new()), "it was cut off");
        assert_eq!(taken(&[]), (Err(None), Vec::new()), "nothing says that this was all");
    }

    #[test]
    fn a_connection_is_open_until_it_is_closed() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        let (accepted, _) = server.accept().unwrap();
        let (unix, _peer) = UnixStream::pair().unwrap();
        let (tcp, local) =
            (sockopt::cookie(accepted.as_fd()).unwrap(), sockopt::cookie(unix.as_fd()).unwrap());
        let open = || {
            let mut found = Vec::new();
            each_open_connection(|cookie| found.push(cookie)).unwrap();
            unix::each_open_connection(|cookie| found.push(cookie)).unwrap();
            (found.contains(&tcp), found.contains(&local))
        };
        assert_eq!(open(), (true, true));
        drop(accepted);
        drop(unix);
        assert_eq!(open(), (false, false));
    }
}

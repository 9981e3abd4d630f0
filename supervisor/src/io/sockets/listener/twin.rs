//! A fresh socket of TCP or MPTCP that listens on the address of another with its options. The other has been shut down, or shares its port, and
//! whoever has copies of it has none of this one. It accepts nothing.

use crate::io::kernel::sockopt::{bind_raw, get_option, int_option, listen, open_socket, set_option};
use crate::io::sockets::syn_filter;
use clustermon_protocol::address::Address;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Not in every libc.
const SO_BUF_LOCK: i32 = 72;
const SO_NETNS_COOKIE: i32 = 71;
const IP_MINTTL: i32 = 21;
const IPV6_MINHOPCOUNT: i32 = 73;
const IPV6_FREEBIND: i32 = 78;

/// Options that a listening socket hands down to its connections, or that say where it listens. Those of which the value is the
/// default one already are not set. (The kernel itself forgets TCP_MAXSEG at a shutdown.)
const OPTIONS: [(i32, i32); 43] = [
    (libc::SOL_SOCKET, libc::SO_BINDTODEVICE),
    (libc::SOL_SOCKET, libc::SO_BUSY_POLL),
    (libc::SOL_SOCKET, libc::SO_DONTROUTE),
    (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
    (libc::SOL_SOCKET, libc::SO_LINGER),
    (libc::SOL_SOCKET, libc::SO_MARK),
    (libc::SOL_SOCKET, libc::SO_MAX_PACING_RATE),
    (libc::SOL_SOCKET, libc::SO_OOBINLINE),
    (libc::SOL_SOCKET, libc::SO_PRIORITY),
    (libc::SOL_SOCKET, libc::SO_RCVLOWAT),
    (libc::SOL_SOCKET, libc::SO_RCVTIMEO),
    (libc::SOL_SOCKET, libc::SO_SNDTIMEO),
    (libc::SOL_SOCKET, libc::SO_TIMESTAMP),
    (libc::SOL_SOCKET, libc::SO_ZEROCOPY),
    (libc::IPPROTO_IP, libc::IP_FREEBIND),
    (libc::IPPROTO_IP, IP_MINTTL),
    (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER),
    (libc::IPPROTO_IP, libc::IP_TOS),
    (libc::IPPROTO_IP, libc::IP_TRANSPARENT),
    (libc::IPPROTO_IP, libc::IP_TTL),
    (libc::IPPROTO_IPV6, IPV6_FREEBIND),
    (libc::IPPROTO_IPV6, IPV6_MINHOPCOUNT),
    (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER),
    (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
    (libc::IPPROTO_IPV6, libc::IPV6_TRANSPARENT),
    (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS),
    (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY),
    (libc::IPPROTO_TCP, libc::TCP_CONGESTION),
    (libc::IPPROTO_TCP, libc::TCP_CORK),
    (libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT),
    (libc::IPPROTO_TCP, libc::TCP_FASTOPEN),
    (libc::IPPROTO_TCP, libc::TCP_KEEPCNT),
    (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE),
    (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL),
    (libc::IPPROTO_TCP, libc::TCP_LINGER2),
    (libc::IPPROTO_TCP, libc::TCP_NODELAY),
    (libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT),
    (libc::IPPROTO_TCP, libc::TCP_SAVE_SYN),
    (libc::IPPROTO_TCP, libc::TCP_SYNCNT),
    (libc::IPPROTO_TCP, libc::TCP_THIN_DUPACK),
    (libc::IPPROTO_TCP, libc::TCP_THIN_LINEAR_TIMEOUTS),
    (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT),
    (libc::IPPROTO_TCP, libc::TCP_WINDOW_CLAMP),
];
/// The longest of their values.
const LONGEST: usize = 64;

/// Listens on the address in the place of `other`, which has to be shut down or to have SO_REUSEPORT. An error where that cannot be had: the port is
/// another's, this process may not bind it, or `other` has what cannot be copied.
pub(in crate::io) fn of(other: BorrowedFd<'_>, address: &Address, backlog: i32) -> io::Result<OwnedFd> {
    let protocol = int_option(other, libc::SOL_SOCKET, libc::SO_PROTOCOL)?;
    of_protocol(protocol, other, address, backlog)
}

/// The same by plain TCP, also where the other is one of MPTCP, whose clients go on by TCP.
pub(in crate::io) fn by_tcp(other: BorrowedFd<'_>, address: &Address, backlog: i32) -> io::Result<OwnedFd> {
    of_protocol(libc::IPPROTO_TCP, other, address, backlog)
}

fn of_protocol(protocol: i32, other: BorrowedFd<'_>, address: &Address, backlog: i32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK;
    let fresh = open_socket(i32::from(address.family()), kind, protocol)?;
    if namespace(other) != namespace(fresh.as_fd()) || syn_filter::has_filter(other)? {
        return Err(io::ErrorKind::Unsupported.into());
    }
    copy_options(other, fresh.as_fd())?;
    // Copies of the other are bound to the port, perhaps by another user.
    let reuse = int_option(other, libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
    for (socket, name) in [
        (other, libc::SO_REUSEADDR),
        (fresh.as_fd(), libc::SO_REUSEADDR),
        (fresh.as_fd(), libc::SO_REUSEPORT),
    ] {
        set_option(socket, libc::SOL_SOCKET, name, &1i32.to_ne_bytes())?;
    }
    bind_raw(fresh.as_fd(), address.as_bytes())?;
    listen(fresh.as_fd(), backlog)?;
    set_option(fresh.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR, &reuse.to_ne_bytes())?;
    Ok(fresh)
}

/// Sets what is not as in a fresh socket. What this kernel does not know, or does not let this process set, is left.
fn copy_options(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    for (level, name) in OPTIONS {
        let (mut wanted, mut found) = ([0; LONGEST], [0; LONGEST]);
        let lengths = (get_option(from, level, name, &mut wanted), get_option(to, level, name, &mut found));
        let (Ok(wanted_len), Ok(found_len)) = lengths else { continue };
        let wanted = &wanted[..wanted_len];
        if wanted != &found[..found_len]
            && let Err(error) = set_option(to, level, name, wanted)
        {
            log::debug!("option {name} of level {level} is not copied: {error}");
        }
    }
    // The kernel doubles what it is given, and tells which sizes were given at all.
    let locked = int_option(from, libc::SOL_SOCKET, SO_BUF_LOCK).unwrap_or(0);
    for (bit, name) in [(1, libc::SO_SNDBUF), (2, libc::SO_RCVBUF)] {
        if locked & bit != 0 {
            let size = int_option(from, libc::SOL_SOCKET, name)? / 2;
            set_option(to, libc::SOL_SOCKET, name, &size.to_ne_bytes())?;
        }
    }
    Ok(())
}

/// Which network the socket is in; nothing where the kernel does not tell (before 5.14).
fn namespace(socket: BorrowedFd<'_>) -> Option<[u8; 8]> {
    let mut cookie = [0; 8];
    get_option(socket, libc::SOL_SOCKET, SO_NETNS_COOKIE, &mut cookie).ok()?;
    Some(cookie)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::kernel::sockopt::{own_address, queue_length};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    fn shut_down(socket: &impl AsRawFd) {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_RD) }, 0);
    }

    #[test]
    fn listens_in_the_place_of_the_other_with_its_options() {
        for bound in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            let Ok(other) = TcpListener::bind(bound) else { continue };
            let at = other.local_addr().unwrap();
            let address = own_address(other.as_fd()).unwrap();
            let options = [
                (libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1),
                (libc::SOL_SOCKET, libc::SO_RCVBUF, 50_000),
                (libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, 7),
                (libc::IPPROTO_TCP, libc::TCP_FASTOPEN, 9),
                (libc::IPPROTO_TCP, libc::TCP_NODELAY, 1),
                (libc::SOL_SOCKET, libc::SO_REUSEADDR, 1),
            ];
            for (level, name, value) in options {
                set_option(other.as_fd(), level, name, &i32::to_ne_bytes(value)).unwrap();
            }
            let shown = |socket: BorrowedFd<'_>| {
                options.map(|(level, name, _)| int_option(socket, level, name).unwrap())
            };
            let before = shown(other.as_fd());
            let copy = other.try_clone().unwrap();
            shut_down(&other);
            let fresh = of(other.as_fd(), &address, 16).unwrap();
            drop(other);
            assert_eq!(shown(fresh.as_fd()), before, "{bound}");
            let wildcard = at.ip().is_unspecified();
            let host = if wildcard { "::1".parse().unwrap() } else { at.ip() };
            let client = TcpStream::connect((host, at.port())).unwrap();
            assert_eq!(queue_length(copy.as_fd()), None, "the other stays shut");
            drop((client, fresh, copy));
        }
    }

    #[test]
    fn a_port_of_another_is_not_taken() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = own_address(other.as_fd()).unwrap();
        let mine = open_socket(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
        assert!(of(mine.as_fd(), &address, 16).is_err());
    }
}

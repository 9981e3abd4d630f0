//! A socket by which classic BPF is attached to a group whose members the kernel lets nobody attach to: those of MPTCP. Underneath they
//! are TCP sockets like any other, so that a TCP socket at the same address is one of the group for a moment. It lets nobody in.

use crate::io::kernel::sockopt::{bind_raw, get_option, int_option, listen, own_address, set_option};
use crate::io::sockets::syn_filter;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The socket is one of MPTCP, as Go makes its listeners.
pub(in crate::io::steering) fn is_mptcp(socket: BorrowedFd<'_>) -> bool {
    int_option(socket, libc::SOL_SOCKET, libc::SO_PROTOCOL).is_ok_and(|it| it == libc::IPPROTO_MPTCP)
}

/// Joins the group of the member, which listens, as the last one. It is out again when it is dropped, and nothing is then as it was not.
pub(in crate::io::steering) fn beside(member: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let address = own_address(member)?;
    let family = if address.ipv4().is_some() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let anchor = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    let on = 1i32.to_ne_bytes();
    set_option(anchor.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT, &on)?;
    if family == AddressFamily::Inet6 {
        let only = int_option(member, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)?;
        set_option(anchor.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, &only.to_ne_bytes())?;
    }
    let mut device = [0; libc::IFNAMSIZ];
    let len = get_option(member, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, &mut device)?;
    if len > 0 {
        set_option(anchor.as_fd(), libc::SOL_SOCKET, libc::SO_BINDTODEVICE, &device[..len])?;
    }
    // The kernel lets sockets of one user share a port.
    let owner = nix::sys::stat::fstat(member)?.st_uid;
    if owner != nix::unistd::geteuid().as_raw() {
        nix::unistd::fchown(&anchor, Some(owner.into()), None)?;
    }
    bind_raw(anchor.as_fd(), address.as_bytes())?;
    // Before anything is attached the kernel may choose it: whoever comes in that moment gets no answer, and asks again.
    syn_filter::close(anchor.as_fd())?;
    listen(anchor.as_fd(), 1)?;
    Ok(anchor)
}

#[cfg(test)]
mod tests {
    use crate::io::kernel::sockopt::{listen, own_address, queue_length, set_option};
    use crate::io::steering::classic::attach;
    use std::net::{Ipv4Addr, TcpStream};
    use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

    /// Listens by MPTCP on the loopback, at any port or at this one.
    fn listens(port: u16) -> Option<OwnedFd> {
        // SAFETY: makes a descriptor.
        let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_MPTCP) };
        if fd < 0 {
            return None;
        }
        // SAFETY: the kernel has just made it for us.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT, &1i32.to_ne_bytes()).unwrap();
        let address = clustermon_protocol::address::Address::v4(Ipv4Addr::LOCALHOST, port);
        super::bind_raw(socket.as_fd(), address.as_bytes()).unwrap();
        listen(socket.as_fd(), 64).unwrap();
        Some(socket)
    }

    #[test]
    fn sockets_of_mptcp_are_chosen_by_classic_bpf() {
        let Some(first) = listens(0) else {
            log::info!("this kernel has no MPTCP");
            return;
        };
        let port = own_address(first.as_fd()).unwrap().port().unwrap();
        let second = listens(port).unwrap();
        assert!(super::is_mptcp(first.as_fd()) && first.as_raw_fd() != second.as_raw_fd());
        let mut clients = Vec::new();
        let mut lengths = |place: u32| {
            attach(first.as_fd(), &[place]).unwrap();
            clients.extend((0..10).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()));
            [&first, &second].map(|socket| queue_length(socket.as_fd()).unwrap())
        };
        assert_eq!(lengths(1), [0, 10]);
        assert_eq!(lengths(0), [10, 10]);
        assert_eq!(lengths(1), [10, 20]);
    }
}

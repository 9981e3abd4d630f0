//! A UDP socket that a worker is about to bind, or has bound: what it is, whether its address is free, and how much waits in it. It reads no
//! datagram.

use crate::io::kernel::sockopt::{
    bind_raw, cookie, get_option, int_option, open_socket, own_address, set_option,
};
use clustermon_protocol::address::{Address, INET6, MAX};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// `SO_MEMINFO`, and the places in its answer of the memory that received datagrams take, and of how many were dropped because there was
/// none left (linux/sock_diag.h).
const MEMINFO: i32 = 55;
const RECEIVED: usize = 0;
const DROPPED: usize = 8;
/// Ports below this are for the privileged.
const UNPRIVILEGED: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

/// What makes the sockets of two workers the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    address: Address,
    v6_only: bool,
    device: Vec<u8>,
}

/// What a socket is, as the kernel tells, and where it is to be bound.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) key: Key,
    pub(crate) cookie: u64,
    pub(crate) inode: u64,
}

impl Facts {
    /// An error if it is no socket that can be shared at this address: one of UDP proper that is neither bound nor meant for many.
    pub(crate) fn of(socket: BorrowedFd<'_>, address: &Address) -> io::Result<Self> {
        let number = |level, name| int_option(socket, level, name);
        let own = own_address(socket)?;
        let is_of_family = number(libc::SOL_SOCKET, libc::SO_DOMAIN)? == i32::from(address.family());
        if !is_udp(socket) || !is_of_family || own.port() != Some(0) || !is_for_one(address) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let v6_only = address.family() == INET6 && number(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)? != 0;
        let mut device = [0; libc::IFNAMSIZ];
        let len = get_option(socket, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, &mut device)?;
        let key = Key { address: *address, v6_only, device: device[..len].to_vec() };
        Ok(Self { key, cookie: cookie(socket)?, inode: nix::sys::stat::fstat(socket)?.st_ino })
    }
}

/// A socket of UDP proper.
pub(crate) fn is_udp(socket: BorrowedFd<'_>) -> bool {
    let is = |name, value| int_option(socket, libc::SOL_SOCKET, name).is_ok_and(|own| own == value);
    is(libc::SO_TYPE, libc::SOCK_DGRAM) && is(libc::SO_PROTOCOL, libc::IPPROTO_UDP)
}

/// What is sent there comes to one socket: the address has a port, and is none of multicast or broadcast.
pub(crate) fn is_for_one(address: &Address) -> bool {
    let is_for_many = address.ipv4().is_some_and(|ip| ip.is_multicast() || ip == Ipv4Addr::BROADCAST)
        || address.ipv6().is_some_and(|ip| ip.is_multicast());
    address.port().is_some_and(|port| port != 0) && !is_for_many
}

/// The program has asked to send to all.
pub(crate) fn is_for_broadcast(socket: BorrowedFd<'_>) -> bool {
    int_option(socket, libc::SOL_SOCKET, libc::SO_BROADCAST).is_ok_and(|on| on != 0)
}

/// Whether somebody who is alone could bind a socket of the same kind there: found out with another socket, which is closed at once.
pub(crate) fn is_free(socket: BorrowedFd<'_>, address: &Address) -> io::Result<()> {
    let trial = open_socket(i32::from(address.family()), libc::SOCK_DGRAM, libc::IPPROTO_UDP)?;
    let mut same = vec![(libc::SOL_SOCKET, libc::SO_REUSEADDR), (libc::IPPROTO_IP, libc::IP_FREEBIND)];
    if address.family() == INET6 {
        same.push((libc::IPPROTO_IPV6, libc::IPV6_V6ONLY));
    }
    for (level, name) in same {
        let value = int_option(socket, level, name)?;
        set_option(trial.as_fd(), level, name, &value.to_ne_bytes())?;
    }
    let mut device = [0; libc::IFNAMSIZ];
    let len = get_option(socket, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, &mut device)?;
    if len > 0 {
        set_option(trial.as_fd(), libc::SOL_SOCKET, libc::SO_BINDTODEVICE, &device[..len])?;
    }
    bind_raw(trial.as_fd(), address.as_bytes())
}

/// Binds it beside others that do the same. One that cannot be bound is as it was.
pub(crate) fn bind_beside_others(socket: BorrowedFd<'_>, address: &Address, meant: bool) -> io::Result<()> {
    let reuse = |on: i32| set_option(socket, libc::SOL_SOCKET, libc::SO_REUSEPORT, &on.to_ne_bytes());
    reuse(1)?;
    let bound = bind_raw(socket, address.as_bytes());
    if bound.is_err() && !meant {
        reuse(0)?;
    }
    bound
}

/// Whether the kernel lets the process bind this port by its own right. What cannot be told is left to the kernel.
pub(crate) fn may_bind(pid: u32, port: u16) -> bool {
    let first = std::fs::read_to_string(UNPRIVILEGED).ok().and_then(|text| text.trim().parse().ok());
    if port >= first.unwrap_or(1024) {
        return true;
    }
    // In a user namespace of its own anybody has all capabilities, for what is in there alone.
    if !is_in_our_user_namespace(pid) {
        return false;
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = capabilities.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    capabilities.is_some_and(|set| set & 1 << CAP_NET_BIND_SERVICE != 0)
}

fn is_in_our_user_namespace(pid: u32) -> bool {
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/user")).ok();
    namespace("self").is_some_and(|own| namespace(&pid.to_string()) == Some(own))
}

/// linux/capability.h
const CAP_NET_BIND_SERVICE: u32 = 10;

/// Memory that waiting datagrams take, and how many were dropped for want of it. `None` if the kernel does not tell.
pub(crate) fn waiting(socket: BorrowedFd<'_>) -> Option<(u32, u32)> {
    let mut info = [0; 36];
    let len = get_option(socket, libc::SOL_SOCKET, MEMINFO, &mut info).ok()?;
    let number = |place: usize| info.get(4 * place..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
    if len == info.len() { number(RECEIVED).zip(number(DROPPED)) } else { None }
}

/// It takes datagrams of one peer only.
pub(crate) fn is_connected(socket: BorrowedFd<'_>) -> bool {
    let mut raw = [0u8; MAX];
    let mut len = raw.len() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to the buffer, and the length.
    unsafe { libc::getpeername(socket.as_raw_fd(), raw.as_mut_ptr().cast(), &raw mut len) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    fn of(text: &str, port: u16) -> Address {
        match text.parse().unwrap() {
            std::net::IpAddr::V4(ip) => Address::v4(ip, port),
            std::net::IpAddr::V6(ip) => Address::v6(ip, port),
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a process to look at")]
    fn capabilities_of_another_user_namespace_are_none() {
        let own = std::process::id();
        assert!(is_in_our_user_namespace(own) && may_bind(own, 65_535));
        assert!(!is_in_our_user_namespace(u32::MAX) && !may_bind(u32::MAX, 1));
        let mut command = std::process::Command::new("unshare");
        // It ends by itself once its input does.
        let child = command.args(["--user", "cat"]).stdin(std::process::Stdio::piped()).spawn();
        let Ok(mut child) = child else { return log::info!("there is no unshare") };
        // Until it has another, or may not have one and ends.
        while is_in_our_user_namespace(child.id()) && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        assert!(!may_bind(child.id(), 1));
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn only_what_comes_to_one_is_shared() {
        for (host, port, is_one) in [
            ("127.0.0.1", 53, true),
            ("0.0.0.0", 53, true),
            ("::", 443, true),
            ("127.0.0.1", 0, false),
            ("224.0.0.251", 5353, false),
            ("255.255.255.255", 67, false),
            ("ff02::fb", 5353, false),
        ] {
            assert_eq!(is_for_one(&of(host, port)), is_one, "{host}:{port}");
        }
    }

    #[test]
    fn what_waits_and_what_is_connected_is_told() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(waiting(server.as_fd()), Some((0, 0)));
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(b"hello", server.local_addr().unwrap()).unwrap();
        assert!(waiting(server.as_fd()).unwrap().0 > 0);
        assert!(!is_connected(client.as_fd()));
        client.connect(server.local_addr().unwrap()).unwrap();
        assert!(is_connected(client.as_fd()));
    }

    #[test]
    fn an_address_that_is_taken_is_not_free() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let taken = Address::v4(std::net::Ipv4Addr::LOCALHOST, server.local_addr().unwrap().port());
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let error = is_free(other.as_fd(), &taken).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EADDRINUSE));
        drop(server);
        is_free(other.as_fd(), &taken).unwrap();
        assert_eq!(Facts::of(other.as_fd(), &taken).unwrap_err().raw_os_error(), Some(libc::EINVAL), "bound");
    }
}

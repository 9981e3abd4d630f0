//! Which clients a listening TCP socket lets in: those of its hosts, its port and its device. By it the kernel is asked who else
//! would get some of them; it changes nothing.

use super::listener::{Facts, Key};
use super::sock_diag::{INET_DIAG_MSG, attributes, dump, local, number, tcp};
use crate::io::kernel::sockopt::int_option;
use clustermon_protocol::address::{Address, INET, INET6};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::BorrowedFd;

const INET_DIAG_SKV6ONLY: u16 = 11;
const DEVICE_AT: usize = 40;
const SO_BINDTOIFINDEX: i32 = 62;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    hosts: Hosts,
    port: u16,
    /// The number of the device that it is bound to; 0 is none.
    device: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hosts {
    /// All of both families.
    All,
    /// All of this family, or one.
    V4(Option<Ipv4Addr>),
    V6(Option<Ipv6Addr>),
}

impl Reach {
    /// That of a socket of which these facts are known; `None` if it is not TCP.
    pub(crate) fn of(socket: BorrowedFd<'_>, facts: &Facts) -> Option<Self> {
        let Key::Inet { address, v6_only, .. } = &facts.key else { return None };
        // Where the kernel does not tell the number (before 5.1) the socket is taken to be bound to none.
        let device = int_option(socket, libc::SOL_SOCKET, SO_BINDTOIFINDEX).unwrap_or(0);
        Self::new(address, *v6_only, device.unsigned_abs())
    }

    fn new(address: &Address, v6_only: bool, device: u32) -> Option<Self> {
        let hosts = match (address.ipv4(), address.ipv6()) {
            (Some(host), _) => Hosts::V4(Some(host).filter(|host| !host.is_unspecified())),
            (None, Some(host)) => match host.to_ipv4_mapped() {
                Some(mapped) => Hosts::V4(Some(mapped).filter(|host| !host.is_unspecified())),
                None if !host.is_unspecified() => Hosts::V6(Some(host)),
                None if v6_only => Hosts::V6(None),
                None => Hosts::All,
            },
            (None, None) => return None,
        };
        Some(Self { hosts, port: address.port()?, device })
    }

    /// What a message of the kernel tells, and the inode of the socket.
    fn told(message: &[u8]) -> Option<(Self, u64)> {
        let (address, inode) = local(message)?;
        let rest = message.get(INET_DIAG_MSG..)?;
        let v6_only = attributes(rest).any(|(kind, value)| kind == INET_DIAG_SKV6ONLY && value == [1]);
        Some((Self::new(&address, v6_only, number(message, DEVICE_AT))?, inode))
    }

    /// Some client could get to either. Without SO_REUSEPORT the kernel lets only one of them listen.
    fn overlaps(&self, other: &Self) -> bool {
        let same_device = self.device == other.device || self.device == 0 || other.device == 0;
        let same_host = match (self.hosts, other.hosts) {
            (Hosts::All, _) | (_, Hosts::All) => true,
            (Hosts::V4(one), Hosts::V4(another)) => one.is_none() || another.is_none() || one == another,
            (Hosts::V6(one), Hosts::V6(another)) => one.is_none() || another.is_none() || one == another,
            (Hosts::V4(_), Hosts::V6(_)) | (Hosts::V6(_), Hosts::V4(_)) => false,
        };
        self.port == other.port && same_device && same_host
    }

    /// Inodes of the TCP sockets that listen where some client of this one could get to.
    pub(crate) fn listeners(&self) -> io::Result<Vec<u64>> {
        let mut inodes = Vec::new();
        for family in [INET, INET6] {
            dump(&tcp(family, 1 << tcp::LISTEN), |message| {
                let found = Self::told(message).filter(|(other, _)| self.overlaps(other));
                inodes.extend(found.map(|(_, inode)| inode));
            })?;
        }
        Ok(inodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{SocketAddr, TcpListener};
    use std::os::fd::AsFd;

    fn reach(text: &str, v6_only: bool, device: u32) -> Reach {
        let address = match text.parse().unwrap() {
            SocketAddr::V4(address) => Address::v4(*address.ip(), address.port()),
            SocketAddr::V6(address) => Address::v6(*address.ip(), address.port()),
        };
        Reach::new(&address, v6_only, device).unwrap()
    }

    #[test]
    fn two_overlap_where_the_kernel_would_let_only_one_listen() {
        let both = reach("[::]:80", false, 0);
        let all = ["0.0.0.0:80", "127.0.0.1:80", "[::]:80", "[::1]:80", "[::ffff:127.0.0.1]:80"];
        let row = |one: Reach| all.map(|other| one.overlaps(&reach(other, false, 0)));
        assert_eq!(row(both), [true; 5]);
        assert_eq!(row(reach("[::]:80", true, 0)), [false, false, true, true, false]);
        assert_eq!(row(reach("0.0.0.0:80", false, 0)), [true, true, true, false, true]);
        assert_eq!(row(reach("127.0.0.1:80", false, 0)), [true, true, true, false, true]);
        assert_eq!(row(reach("127.0.0.2:80", false, 0)), [true, false, true, false, false]);
        assert_eq!(row(reach("[::1]:80", false, 0)), [false, false, true, true, false]);
        assert_eq!(row(reach("[::]:81", false, 0)), [false; 5]);
        assert!(reach("0.0.0.0:80", false, 2).overlaps(&both));
        assert!(!reach("0.0.0.0:80", false, 2).overlaps(&reach("[::]:80", false, 3)), "two devices");
    }

    #[test]
    fn the_kernel_tells_who_listens_there() {
        for (bound, others) in [
            ("127.0.0.1:0", ["0.0.0.0", "[::]", "127.0.0.1"].as_slice()),
            ("0.0.0.0:0", &["0.0.0.0", "[::]", "127.0.0.1"]),
            ("[::1]:0", &["[::1]", "[::]"]),
            ("[::]:0", &["[::1]", "[::]", "0.0.0.0", "127.0.0.2"]),
        ] {
            let Ok(socket) = TcpListener::bind(bound) else { continue };
            let inode = nix::sys::stat::fstat(socket.as_fd()).unwrap().st_ino;
            let port = socket.local_addr().unwrap().port();
            for other in others {
                let found = reach(&format!("{other}:{port}"), false, 0).listeners().unwrap();
                assert_eq!(found, [inode], "{bound} seen from {other}");
            }
            let elsewhere = if bound.contains('.') { "[::2]" } else { "[::3]" };
            if bound != "[::]:0" {
                let found = reach(&format!("{elsewhere}:{port}"), false, 0).listeners().unwrap();
                assert_eq!(found, [0u64; 0], "{bound} seen from {elsewhere}");
            }
        }
    }
}

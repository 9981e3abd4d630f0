//! A socket address as the kernel writes it: a value of at most 110 bytes that is only ever well formed.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

/// AF_UNIX.
pub const UNIX: u16 = 1;
/// AF_INET.
pub const INET: u16 = 2;
/// AF_INET6.
pub const INET6: u16 = 10;

/// Longest `sockaddr` that is kept: `sockaddr_un`, in bytes.
pub const MAX: usize = 110;
const INET_LEN: usize = 16;
const INET6_LEN: usize = 28;

/// An IPv4, IPv6 or unix socket address: `bytes[..len]` is a `sockaddr` in the kernel's layout.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address {
    len: u8,
    bytes: [u8; MAX],
}

impl Address {
    /// Takes a `sockaddr`; `None` if the family is none of ours or the length does not fit the family.
    /// Padding of IPv4 addresses is cleared, so that equal addresses compare equal.
    pub fn from_raw(raw: &[u8]) -> Option<Self> {
        let family = u16::from_ne_bytes([*raw.first()?, *raw.get(1)?]);
        let keep = match family {
            INET if raw.len() >= INET_LEN => 8,
            INET6 if raw.len() >= INET6_LEN => INET6_LEN,
            // The kernel counts the terminating NUL of a path in or not, as the caller did.
            UNIX if raw.len() <= MAX && raw.get(2).is_some_and(|&first| first != 0) => {
                2 + path_len(&raw[2..])
            }
            UNIX if raw.len() <= MAX => raw.len(),
            _ => return None,
        };
        let len = if family == INET { INET_LEN } else { keep };
        let mut bytes = [0; MAX];
        bytes[..keep].copy_from_slice(&raw[..keep]);
        Some(Self { len: len as u8, bytes })
    }

    /// An IPv4 address; the port in host order.
    pub fn v4(ip: Ipv4Addr, port: u16) -> Self {
        let mut bytes = [0; MAX];
        bytes[..2].copy_from_slice(&INET.to_ne_bytes());
        bytes[2..4].copy_from_slice(&port.to_be_bytes());
        bytes[4..8].copy_from_slice(&ip.octets());
        Self { len: INET_LEN as u8, bytes }
    }

    /// An IPv6 address without flow label and scope; the port in host order.
    pub fn v6(ip: Ipv6Addr, port: u16) -> Self {
        let mut bytes = [0; MAX];
        bytes[..2].copy_from_slice(&INET6.to_ne_bytes());
        bytes[2..4].copy_from_slice(&port.to_be_bytes());
        bytes[8..24].copy_from_slice(&ip.octets());
        Self { len: INET6_LEN as u8, bytes }
    }

    /// The wildcard address of a family with port 0; `None` for unix.
    pub fn wildcard(family: u16) -> Option<Self> {
        match family {
            INET => Some(Self::v4(Ipv4Addr::UNSPECIFIED, 0)),
            INET6 => Some(Self::v6(Ipv6Addr::UNSPECIFIED, 0)),
            _ => None,
        }
    }

    /// The `sockaddr`. A unix path comes without its terminating NUL.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The length in which the kernel reports this address, in bytes: with the NUL of a unix path.
    pub fn reported_len(&self) -> usize {
        let full = usize::from(self.len);
        if self.path().is_some() && full < MAX { full + 1 } else { full }
    }

    /// All bytes, zero beyond the address: what is copied to a caller up to `reported_len`.
    pub fn padded(&self) -> &[u8; MAX] {
        &self.bytes
    }

    /// `INET`, `INET6` or `UNIX`.
    pub fn family(&self) -> u16 {
        u16::from_ne_bytes([self.bytes[0], self.bytes[1]])
    }

    /// The port in host order; `None` for unix.
    pub fn port(&self) -> Option<u16> {
        (self.family() != UNIX).then(|| u16::from_be_bytes([self.bytes[2], self.bytes[3]]))
    }

    /// The same address with another port, in host order; unchanged for unix.
    pub fn with_port(mut self, port: u16) -> Self {
        if self.family() != UNIX {
            self.bytes[2..4].copy_from_slice(&port.to_be_bytes());
        }
        self
    }

    /// The IPv4 address.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        (self.family() == INET)
            .then(|| Ipv4Addr::new(self.bytes[4], self.bytes[5], self.bytes[6], self.bytes[7]))
    }

    /// The IPv6 address.
    pub fn ipv6(&self) -> Option<Ipv6Addr> {
        let mut octets = [0; 16];
        octets.copy_from_slice(&self.bytes[8..24]);
        (self.family() == INET6).then(|| Ipv6Addr::from(octets))
    }

    /// True for `0.0.0.0` and `[::]`.
    pub fn is_wildcard(&self) -> bool {
        self.ipv4().is_some_and(|ip| ip.is_unspecified()) || self.ipv6().is_some_and(|ip| ip.is_unspecified())
    }

    /// True for 127.0.0.0/8, ::1 and 127.0.0.0/8 mapped into IPv6.
    pub fn is_loopback(&self) -> bool {
        self.ipv4().is_some_and(|ip| ip.is_loopback())
            || self
                .ipv6()
                .is_some_and(|ip| ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()))
    }

    /// The path of a unix socket that lies in the file system.
    pub fn path(&self) -> Option<&[u8]> {
        let name = self.as_bytes().get(2..)?;
        (self.family() == UNIX && name.first().is_some_and(|&b| b != 0)).then_some(name)
    }

    /// The abstract name of a unix socket, without its leading NUL.
    pub fn abstract_name(&self) -> Option<&[u8]> {
        let name = self.as_bytes().get(2..)?;
        (self.family() == UNIX && name.first() == Some(&0)).then(|| &name[1..])
    }

    /// True for a unix socket without a name.
    pub fn is_unnamed(&self) -> bool {
        self.family() == UNIX && self.len <= 2
    }
}

fn path_len(path: &[u8]) -> usize {
    path.iter().position(|&b| b == 0).unwrap_or(path.len())
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `127.0.0.1:80`, `[::1]:80`, `/run/app.sock`, `@abstract`, `unnamed`; bytes that are no UTF-8 as `\xNN`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port().unwrap_or(0);
        if let Some(ip) = self.ipv4() {
            write!(f, "{ip}:{port}")
        } else if let Some(ip) = self.ipv6() {
            write!(f, "[{ip}]:{port}")
        } else if let Some(path) = self.path() {
            write!(f, "{}", path.escape_ascii())
        } else if let Some(name) = self.abstract_name() {
            write!(f, "@{}", name.escape_ascii())
        } else {
            f.write_str("unnamed")
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    fn unix(name: &[u8]) -> Address {
        let mut raw = std::vec::Vec::from(UNIX.to_ne_bytes());
        raw.extend_from_slice(name);
        Address::from_raw(&raw).unwrap()
    }

    #[test]
    fn shows_every_form() {
        assert_eq!(Address::v4(Ipv4Addr::LOCALHOST, 80).to_string(), "127.0.0.1:80");
        assert_eq!(Address::v6(Ipv6Addr::LOCALHOST, 80).to_string(), "[::1]:80");
        assert_eq!(unix(b"/run/a.sock").to_string(), "/run/a.sock");
        assert_eq!(unix(b"\0name").to_string(), "@name");
        assert_eq!(unix(b"").to_string(), "unnamed");
    }

    #[test]
    fn padding_and_terminators_do_not_make_addresses_differ() {
        let mut raw = [7u8; 16];
        raw[..2].copy_from_slice(&INET.to_ne_bytes());
        let mut other = raw;
        other[8..].fill(9);
        assert_eq!(Address::from_raw(&raw), Address::from_raw(&other));
        assert_eq!(unix(b"/a\0"), unix(b"/a"));
        assert_eq!(unix(b"/a\0rest"), unix(b"/a"));
        assert_ne!(unix(b"\0a\0"), unix(b"\0a"));
    }

    #[test]
    fn a_full_path_reports_no_terminator() {
        assert_eq!(unix(&[b'p'; 108]).reported_len(), 110);
        assert_eq!(unix(b"/a").reported_len(), 5);
        assert_eq!(unix(b"\0a").reported_len(), 4);
    }

    #[test]
    fn refuses_what_does_not_fit_its_family() {
        assert_eq!(Address::from_raw(&[]), None);
        assert_eq!(Address::from_raw(&INET.to_ne_bytes()), None);
        assert_eq!(Address::from_raw(&[99; 40]), None);
        let mut long = [1u8; 120];
        long[..2].copy_from_slice(&UNIX.to_ne_bytes());
        assert_eq!(Address::from_raw(&long), None);
    }

    #[test]
    fn knows_loopback_and_wildcard() {
        assert!(Address::v4(Ipv4Addr::new(127, 9, 9, 9), 0).is_loopback());
        assert!(Address::v6(Ipv4Addr::LOCALHOST.to_ipv6_mapped(), 0).is_loopback());
        assert!(Address::wildcard(INET6).unwrap().is_wildcard());
        assert!(!Address::v4(Ipv4Addr::new(10, 0, 0, 1), 0).is_wildcard());
    }
}

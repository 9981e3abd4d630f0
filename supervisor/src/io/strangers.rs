//! Asks the kernel (sock_diag over netlink) which TCP sockets listen on an address: with SO_REUSEPORT the kernel would
//! let a second cluster of the same user join in silence. It only reads.

use clustermon_protocol::address::{Address, INET, INET6};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const TCP_LISTEN: u32 = 10;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const NLMSG_DONE: u16 = 3;
const NLMSG_ERROR: u16 = 2;
const HEADER: usize = 16;
/// `struct inet_diag_msg`: family, state, timer, retrans; ports, addresses, interface, cookie; five numbers.
const INET_DIAG_MSG: usize = 72;

/// Inodes of the sockets that listen on exactly this address.
pub(crate) fn listening_on(address: &Address) -> io::Result<Vec<u64>> {
    let family = address.family();
    if ![INET, INET6].contains(&family) {
        return Ok(Vec::new());
    }
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        Some(SockProtocol::NetlinkSockDiag),
    )?;
    // `struct nlmsghdr`, then `struct inet_diag_req_v2` with an empty socket id: a dump of all that listen.
    let mut request = Vec::with_capacity(HEADER + 56);
    request.extend((HEADER as u32 + 56).to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([family as u8, libc::IPPROTO_TCP as u8, 0, 0]);
    request.extend((1u32 << TCP_LISTEN).to_ne_bytes());
    request.extend([0; 48]);
    send(socket.as_raw_fd(), &request, MsgFlags::empty())?;

    let mut inodes = Vec::new();
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let len = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let mut rest = &buffer[..len];
        while rest.len() >= HEADER {
            let size = u32::from_ne_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
            if size < HEADER || size > rest.len() {
                return Ok(inodes);
            }
            match u16::from_ne_bytes([rest[4], rest[5]]) {
                NLMSG_DONE | NLMSG_ERROR => return Ok(inodes),
                _ => inodes.extend(matching(&rest[HEADER..size], address)),
            }
            rest = rest.get(size.next_multiple_of(4)..).unwrap_or(&[]);
        }
        if len == 0 {
            return Ok(inodes);
        }
    }
}

/// The inode that an `inet_diag_msg` tells, if it is about this address.
fn matching(message: &[u8], address: &Address) -> Option<u64> {
    let message = message.get(..INET_DIAG_MSG)?;
    let port = u16::from_be_bytes([message[4], message[5]]);
    let same = match (address.ipv4(), address.ipv6()) {
        (Some(ip), _) => Ipv4Addr::new(message[8], message[9], message[10], message[11]) == ip,
        (_, Some(ip)) => {
            <[u8; 16]>::try_from(&message[8..24]).is_ok_and(|octets| Ipv6Addr::from(octets) == ip)
        }
        _ => false,
    };
    let inode = u32::from_ne_bytes([message[68], message[69], message[70], message[71]]);
    (same && Some(port) == address.port()).then_some(u64::from(inode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::fd::AsFd;

    #[test]
    fn finds_exactly_the_listener() {
        for ip in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(ip) else { continue };
            let inode = nix::sys::stat::fstat(listener.as_fd()).unwrap().st_ino;
            let address = super::super::listener::own_address(listener.as_fd()).unwrap();
            assert_eq!(listening_on(&address).unwrap(), [inode]);
            drop(listener);
            assert_eq!(listening_on(&address).unwrap(), [0u64; 0]);
        }
    }
}

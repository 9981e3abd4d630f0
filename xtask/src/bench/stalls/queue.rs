//! Asks the kernel how many connections wait at a listening socket (sock_diag over netlink), one socket at a time. It holds no copy
//! of that socket and touches none of its connections.

use crate::Result;
use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const TCP_LISTEN: u8 = 10;
const HEADER: usize = 16;
/// Of the answer: where the state and the length of the queue stand in `struct inet_diag_msg`, and its size.
const STATE: usize = HEADER + 1;
const RQUEUE: usize = HEADER + 56;
const ANSWER: usize = HEADER + 72;

/// Of one socket that listens.
#[derive(Debug)]
pub(super) struct Queue {
    netlink: OwnedFd,
    request: Vec<u8>,
}

impl Queue {
    pub(super) fn of(address: SocketAddrV4) -> Result<Self> {
        // SAFETY: plain numbers; the descriptor that comes back is owned by nobody else.
        let netlink = unsafe {
            let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
            match libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_SOCK_DIAG) {
                fd if fd >= 0 => OwnedFd::from_raw_fd(fd),
                _ => return Err(io::Error::last_os_error().into()),
            }
        };
        let queue = Self { netlink, request: request(address) };
        queue.length()?;
        Ok(queue)
    }

    /// Connections that wait now.
    pub(super) fn length(&self) -> Result<u32> {
        let fd = self.netlink.as_raw_fd();
        let mut answer = [0u8; 1024];
        // SAFETY: both buffers live through the calls, and their lengths are given.
        let got = unsafe {
            if libc::send(fd, self.request.as_ptr().cast(), self.request.len(), 0) < 0 {
                return Err(io::Error::last_os_error().into());
            }
            libc::recv(fd, answer.as_mut_ptr().cast(), answer.len(), 0)
        };
        let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
        read(&answer[..got])
    }
}

/// `struct nlmsghdr`, then `struct inet_diag_req_v2` with the socket's own address and nobody at the other end.
fn request(address: SocketAddrV4) -> Vec<u8> {
    let mut request = ((HEADER + 56) as u32).to_ne_bytes().to_vec();
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(NLM_F_REQUEST.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([libc::AF_INET as u8, libc::IPPROTO_TCP as u8, 0, 0]);
    request.extend((1u32 << TCP_LISTEN).to_ne_bytes());
    request.extend(address.port().to_be_bytes());
    request.extend([0; 2]);
    request.extend(address.ip().octets());
    request.extend([0; 12 + 16 + 4]);
    // No cookie: whichever listens there.
    request.extend([0xff; 8]);
    request
}

fn read(answer: &[u8]) -> Result<u32> {
    let word = |at: usize| answer.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    let kind = answer.get(4..6).map(|kind| u16::from_ne_bytes([kind[0], kind[1]]));
    match kind {
        Some(SOCK_DIAG_BY_FAMILY) if answer.len() >= ANSWER && answer[STATE] == TCP_LISTEN => {
            Ok(word(RQUEUE).map_or(0, u32::from_ne_bytes))
        }
        Some(NLMSG_ERROR) => {
            let errno = word(HEADER).map_or(0, i32::from_ne_bytes);
            Err(format!("nobody listens there: {}", io::Error::from_raw_os_error(-errno)).into())
        }
        _ => Err("the kernel's answer about a socket cannot be read".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{SocketAddr, TcpListener, TcpStream};

    #[test]
    fn counts_what_waits() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let SocketAddr::V4(address) = listener.local_addr().unwrap() else { panic!("IPv4 was asked for") };
        let queue = Queue::of(address).unwrap();
        assert_eq!(queue.length().unwrap(), 0);
        let clients = [(); 3].map(|()| TcpStream::connect(address).unwrap());
        assert_eq!(queue.length().unwrap(), 3);
        drop(listener.accept().unwrap());
        assert_eq!(queue.length().unwrap(), 2);
        drop((clients, listener));
        assert!(queue.length().is_err());
    }
}

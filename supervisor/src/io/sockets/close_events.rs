//! The kernel's word of TCP connections that have ended, whoever had them. It tells which, and keeps none.

use crate::io::kernel::{packet_filter, sockopt};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// `SKNLGRP_INET_TCP_DESTROY` and `SKNLGRP_INET6_TCP_DESTROY` of linux/sock_diag.h.
const GROUPS: [libc::c_int; 2] = [1, 3];
/// Where `idiag_sport` stands, after `struct nlmsghdr`.
const PORT: u32 = 16 + 4;
/// Where `idiag_cookie` stands, the kernel's number of the connection.
const COOKIE: usize = 16 + 44;
/// So many bytes of a message are read.
const KEPT: u32 = COOKIE as u32 + 8;
/// A filter of more is none.
const MOST_PORTS: usize = 200;
/// How many messages are taken at a time.
const BUDGET: u32 = 256;

/// A subscription.
#[derive(Debug)]
pub(crate) struct CloseEvents {
    socket: OwnedFd,
    ports: Vec<u16>,
}

impl CloseEvents {
    /// Of connections whose local port is one of these.
    pub(crate) fn new(ports: Vec<u16>) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkSockDiag)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        // Before the groups: nothing else is ever heard.
        set_filter(&socket, &ports)?;
        for group in GROUPS {
            let group = group.to_ne_bytes();
            sockopt::set_option(socket.as_fd(), libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, &group)?;
        }
        Ok(Self { socket, ports })
    }

    /// From now on of these.
    pub(crate) fn watch(&mut self, ports: Vec<u16>) {
        if self.ports != ports {
            match set_filter(&self.socket, &ports) {
                Ok(()) => self.ports = ports,
                Err(error) => log::debug!("cannot filter connections that end: {error}"),
            }
        }
    }

    /// Takes what was told: the kernel's numbers of connections. More may be there; it is told of again when the next one ends, and
    /// of some it may not be told at all.
    pub(crate) fn take(&self) -> HashSet<u64> {
        let mut ended = HashSet::new();
        let mut bytes = [0; KEPT as usize];
        for _ in 0..BUDGET {
            match recv(self.socket.as_raw_fd(), &mut bytes, MsgFlags::MSG_TRUNC) {
                Ok(len) if len >= bytes.len() => {
                    ended.extend(bytes[COOKIE..].first_chunk().map(|number| u64::from_ne_bytes(*number)));
                }
                // What did not fit was dropped.
                Ok(_) | Err(nix::Error::ENOBUFS | nix::Error::EINTR) => {}
                Err(_) => break,
            }
        }
        ended
    }
}

impl AsRawFd for CloseEvents {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Lets nothing pass but messages of these local ports.
fn set_filter(socket: &OwnedFd, ports: &[u16]) -> io::Result<()> {
    let step = |code, jt, k| packet_filter::step(code, jt, 0, k);
    let mut program = Vec::new();
    if ports.len() <= MOST_PORTS {
        program.push(step(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 0, PORT));
        for (place, port) in ports.iter().enumerate() {
            // Over the other ports and the refusal.
            let over = (ports.len() - place) as u8;
            program.push(step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, over, u32::from(*port)));
        }
        program.push(step(libc::BPF_RET | libc::BPF_K, 0, 0));
    }
    program.push(step(libc::BPF_RET | libc::BPF_K, 0, KEPT));
    packet_filter::attach(socket.as_fd(), &mut program)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::net::{TcpListener, TcpStream};

    fn is_told(closings: &CloseEvents, wait: u16) -> bool {
        let mut fds = [PollFd::new(closings.socket.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::from(wait)).unwrap() > 0
    }

    /// Its number.
    fn end_one(listener: &TcpListener) -> u64 {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (own, _) = listener.accept().unwrap();
        let number = sockopt::cookie(own.as_fd()).unwrap();
        drop(client);
        drop(own);
        number
    }

    #[test]
    fn the_end_of_a_connection_of_one_of_the_ports_is_told() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let [own, more, other] = [(); 3].map(|()| TcpListener::bind(address).unwrap());
            let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
            let mut closings = CloseEvents::new(vec![port(&own), port(&more)]).unwrap();
            for listener in [&own, &more] {
                let number = end_one(listener);
                assert!(is_told(&closings, 30_000), "{address}");
                assert_eq!(closings.take(), HashSet::from([number]), "{address}");
            }
            assert!(!is_told(&closings, 0), "{address}: all was taken");
            end_one(&other);
            assert!(!is_told(&closings, 200), "{address}: of another port");
            closings.watch(vec![port(&other)]);
            end_one(&own);
            assert!(!is_told(&closings, 200), "{address}: it is no longer asked about");
            end_one(&other);
            assert!(is_told(&closings, 30_000), "{address}");
        }
    }
}

//! A socket on which datagrams leave, to a path or over the network. It never waits, and who is not there is an error.

use super::syslog::Address;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, send};
use std::io;
use std::net::{ToSocketAddrs, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

#[derive(Debug)]
pub(super) struct Connection(OwnedFd);

impl Connection {
    /// A name of a host is asked for, which may take a while.
    pub(super) fn open(address: &Address) -> io::Result<Self> {
        match address {
            Address::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                Ok(Self(socket.into()))
            }
            Address::Udp(host) => {
                let mut last = io::Error::other("there is no such host");
                for address in host.to_socket_addrs()? {
                    let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                    match UdpSocket::bind(own).and_then(|socket| socket.connect(address).map(|()| socket)) {
                        Ok(socket) => return Ok(Self(socket.into())),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }

    /// Sends one datagram.
    pub(super) fn send(&self, record: &[u8]) -> nix::Result<()> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        loop {
            match send(self.0.as_raw_fd(), record, flags) {
                Err(Errno::EINTR) => {}
                done => return done.map(drop),
            }
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

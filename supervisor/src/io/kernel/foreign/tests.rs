//! What lingers holds up nobody, however much of it there is.

use super::*;
use crate::io::kernel::message;
use crate::io::kernel::sockopt::set_option;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

/// Longer than anybody here waits.
const LINGER: libc::linger = libc::linger { l_onoff: 1, l_linger: 600 };

/// A connection whose last close waits for a peer that reads nothing.
fn lingering(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (peer, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    while stream.write(&[0; 65_536]).is_ok() {}
    let bytes = [LINGER.l_onoff.to_ne_bytes(), LINGER.l_linger.to_ne_bytes()].concat();
    set_option(stream.as_fd(), libc::SOL_SOCKET, libc::SO_LINGER, &bytes).unwrap();
    (stream, peer)
}

/// Returns once something that was dropped now is closed.
fn wait_until_closed() {
    let (mut witness, dropped) = UnixStream::pair().unwrap();
    witness.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    drop(Foreign::from(OwnedFd::from(dropped)));
    assert_eq!(witness.read(&mut [0]).map_err(|error| error.kind()), Ok::<_, io::ErrorKind>(0));
}

#[test]
fn what_lingers_holds_up_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut peers = Vec::new();
    for number in 0..2 * MOST_THREADS {
        let (stream, peer) = lingering(&listener);
        peers.push(peer);
        if number % 2 == 0 {
            drop(Foreign::from(OwnedFd::from(stream)));
        } else {
            // In the queue of a socket that nobody reads.
            let flags = SockFlag::SOCK_CLOEXEC;
            let (a, b) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
            message::send(a.as_fd(), b"x", Some(stream.as_fd())).unwrap();
            drop(stream);
            drop(Foreign::from(b));
        }
    }
    wait_until_closed();
    assert!(!is_full());
}

#[test]
fn one_that_turned_out_to_be_our_own_stays_open() {
    let (mut kept, given) = UnixStream::pair().unwrap();
    let mut ours = UnixStream::from(Foreign::from(OwnedFd::from(given)).into_owned());
    wait_until_closed();
    ours.write_all(b"x").unwrap();
    assert_eq!(kept.read(&mut [0; 2]).unwrap(), 1);
}

//! Groups of real sockets, and whom clients reach in them.

use super::*;
use crate::io::kernel::sockopt::{bind_raw, listen, own_address, queue_length, set_option};
use crate::io::steering::level::Best;
use clustermon_protocol::address::Address;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::FromRawFd;
use std::time::Duration;

fn listens(protocol: i32, port: u16) -> Option<OwnedFd> {
    // SAFETY: makes a descriptor.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, protocol) };
    if fd < 0 {
        return None;
    }
    // SAFETY: the kernel has just made it for us.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT, &1i32.to_ne_bytes()).unwrap();
    bind_raw(socket.as_fd(), Address::v4(Ipv4Addr::LOCALHOST, port).as_bytes()).unwrap();
    listen(socket.as_fd(), 64).unwrap();
    Some(socket)
}

#[test]
fn who_is_led_to_the_door_gets_in_nowhere_and_has_no_answer() {
    // Of a kernel without MPTCP the same holds of TCP.
    let (protocol, first) = match listens(libc::IPPROTO_MPTCP, 0) {
        Some(first) => (libc::IPPROTO_MPTCP, first),
        None => (0, listens(0, 0).unwrap()),
    };
    let port = own_address(first.as_fd()).unwrap().port().unwrap();
    let sockets = [first, listens(protocol, port).unwrap(), listens(protocol, port).unwrap()];
    let best = Best::find().without_map();
    let mut group = Group::open(best, sockets[0].as_fd());
    assert_eq!(group.level(), Level::Classic);
    for (name, socket) in sockets.iter().enumerate() {
        group.join(LaneId(name as u64), socket.as_fd()).unwrap();
    }
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let connect = || TcpStream::connect_timeout(&at, Duration::from_millis(30));
    group.steer(&[LaneId(2)], Some(sockets[0].as_fd())).unwrap();
    let client = connect().unwrap();
    assert_eq!(queue_length(sockets[2].as_fd()), Some(1));
    group.stop_intake(sockets[1].as_fd()).unwrap();
    assert!((0..8).all(|_| connect().is_err()));
    // The barrier comes to another place when a member goes.
    let [first, others @ ..] = sockets;
    drop(first);
    group.leave(LaneId(0));
    group.steer(&[LaneId(1)], Some(others[0].as_fd())).unwrap();
    assert!((0..8).all(|_| connect().is_err()));
    assert_eq!(others.map(|socket| queue_length(socket.as_fd())), [Some(0), Some(1)]);
    drop(client);
}

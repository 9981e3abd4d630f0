//! The connections that the supervisor holds between accept and hand-over: usually one at a time, more only when a lane
//! was taken back. It closes what is dropped and never reads a byte.

use super::listener::Connection;
use crate::ids::ConnId;
use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::sockopt::do_not_linger;
use clustermon_protocol::address::UNIX;
use slab::Slab;
use std::os::fd::AsFd;

/// Connections by id. A place is used again, its id is not.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    slab: Slab<(u32, Connection)>,
    uses: u32,
}

impl Pending {
    /// Keeps a connection.
    pub(crate) fn insert(&mut self, connection: Connection) -> ConnId {
        self.uses = self.uses.wrapping_add(1);
        let place = self.slab.insert((self.uses, connection));
        ConnId(u64::from(self.uses) << 32 | place as u64)
    }

    /// The connection, if it is still here.
    pub(crate) fn get(&self, id: ConnId) -> Option<&Connection> {
        let (uses, connection) = self.slab.get(id.0 as u32 as usize)?;
        (u64::from(*uses) == id.0 >> 32).then_some(connection)
    }

    /// How many are kept.
    #[cfg(feature = "simulation")]
    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Closes a connection that nobody gets. Its listener may have SO_LINGER, which it then has too: nobody waits here until
    /// the client has said goodbye. What a client has sent on a unix socket may hold descriptors of its own.
    pub(crate) fn refuse(&mut self, id: ConnId) {
        if self.get(id).is_none() {
            return;
        }
        let (_, connection) = self.slab.remove(id.0 as u32 as usize);
        if connection.peer.family() == UNIX {
            drop(Foreign::from(connection.fd));
        } else {
            do_not_linger(connection.fd.as_fd());
        }
    }

    /// Closes the supervisor's copy of a connection that was given away: another is in the lane, or the worker's.
    pub(crate) fn close(&mut self, id: ConnId) {
        if self.get(id).is_some() {
            self.slab.remove(id.0 as u32 as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::BalancerId;
    use crate::io::kernel::sockopt::set_option;
    use crate::io::kernel::{message, packet_filter};
    use crate::io::sockets::listener::accept_from;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::sync::mpsc;
    use std::time::Duration;

    /// The kernel drops whatever arrives for this socket: no end of a connection is ever acknowledged.
    fn deafen(socket: &TcpStream) {
        let nothing = packet_filter::step(libc::BPF_RET | libc::BPF_K, 0, 0, 0);
        packet_filter::attach(socket.as_fd(), &mut [nothing]).unwrap();
    }

    fn linger(socket: &impl AsFd) {
        let bytes = [1i32.to_ne_bytes(), 600i32.to_ne_bytes()].concat();
        set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_LINGER, &bytes).unwrap();
    }

    /// What is refused is closed before long, though it would linger.
    #[track_caller]
    fn refuse(connection: Connection) {
        let (done, is_done) = mpsc::channel();
        std::thread::spawn(move || {
            let mut conns = Pending::default();
            let id = conns.insert(connection);
            conns.refuse(id);
            assert!(conns.get(id).is_none());
            done.send(()).unwrap();
        });
        is_done.recv_timeout(Duration::from_secs(20)).expect("the close waits for nobody");
    }

    #[test]
    fn who_is_refused_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        linger(&listener);
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let connection = accept_from(listener.as_fd(), false, BalancerId(0)).unwrap();
        deafen(&client);
        refuse(connection);
    }

    #[test]
    fn nor_what_a_refused_client_has_sent() {
        let scratch = crate::io::scratch::Scratch::new();
        let path = scratch.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let client = UnixStream::connect(&path).unwrap();
        let (inner, deaf) = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let inner = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (inner, listener.accept().unwrap().0)
        };
        deafen(&deaf);
        linger(&inner);
        message::send(client.as_fd(), b"x", Some(inner.as_fd())).unwrap();
        drop(inner);
        refuse(accept_from(listener.as_fd(), false, BalancerId(0)).unwrap());
    }
}

//! Sockets that are not the cluster's and would get some of an address's clients: where there is one the worker is refused, as the kernel would
//! refuse it. Nothing is done to them.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::WorkerId;
use crate::io::kernel::foreign::Foreign;
use crate::io::sockets::listener::Facts;
use crate::io::sockets::reach::Reach;
use clustermon_protocol::address::Address;
use std::io;
use std::os::fd::AsFd;

impl<O: Os> Shell<O> {
    /// How far the socket's clients reach, if bind() failed, alone, where another socket had some of them, though the library has set
    /// SO_REUSEPORT. `None` if the program has set it itself: then only sockets of exactly the address count.
    pub(super) fn reach(&self, worker: WorkerId, socket: &Foreign, facts: &Facts) -> Option<Reach> {
        let meant =
            self.lives.process(worker).is_some_and(|process| process.reuse_port.contains(&facts.cookie));
        Reach::of(socket.as_fd(), facts).filter(|_| !meant)
    }

    /// An error where somebody else listens at the address of a socket that is to open a group.
    pub(in crate::event_loop) fn refuse_taken(
        &mut self,
        worker: WorkerId,
        socket: &Foreign,
        facts: &Facts,
    ) -> io::Result<()> {
        let reach = self.reach(worker, socket, facts);
        self.refuse_strangers(worker, &facts.address, 0, reach)
    }

    /// An error where a socket that is not the cluster's, nor this one, would get some of the clients.
    pub(super) fn refuse_strangers(
        &mut self,
        worker: WorkerId,
        address: &Address,
        own: u64,
        reach: Option<Reach>,
    ) -> io::Result<()> {
        let ours = |inode: &u64| {
            *inode == own
                || self.listeners.all.values().any(|listener| listener.inode == *inode)
                || self.steering.has_socket(*inode)
        };
        let mut strangers = self.os.listeners_beside(reach, address)?;
        strangers.retain(|inode| !ours(inode));
        if strangers.is_empty() {
            return Ok(());
        }
        self.tell_taken(worker, address, Some(&strangers));
        Err(io::Error::from_raw_os_error(libc::EADDRINUSE))
    }
}

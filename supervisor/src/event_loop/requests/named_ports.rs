//! Ports that a worker may not bind by its own rights, as those below 1024: the supervisor binds its socket where `--share` names the port, and
//! nothing else. What the operator has not written down stays as the kernel says.

use super::super::Shell;
use super::super::os::Os;
use super::errno;
use super::names::MAX_REMEMBERED;
use crate::ids::WorkerId;
use crate::io::datagrams::socket::may_bind;
use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::sockopt::{bind_raw, cookie, int_option, is_tcp, own_address};
use clustermon_protocol::address::Address;
use clustermon_protocol::message::Reply;
use clustermon_protocol::rules;
use std::io;
use std::os::fd::AsFd;

impl<O: Os> Shell<O> {
    /// Answers a process to which the kernel has refused the address.
    pub(super) fn bind_named(
        &mut self,
        worker: WorkerId,
        address: &Address,
        socket: &Foreign,
    ) -> Reply<'static> {
        if !self.may_bind_for(worker, address, socket) {
            return Reply::NotOwned;
        }
        match bind_raw(socket.as_fd(), address.as_bytes()) {
            Ok(()) => Reply::Errno(0),
            Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => {
                let is_served = self.listeners.all.values().any(|listener| listener.address == *address);
                let process = self.lives.process_mut(worker).filter(|_| is_served);
                match (process, cookie(socket.as_fd())) {
                    (Some(process), Ok(cookie)) if process.owned.len() < MAX_REMEMBERED => {
                        process.owned.insert(cookie, *address);
                        Reply::Owned
                    }
                    _ => Reply::Errno(errno(&error)),
                }
            }
            Err(error) => Reply::Errno(errno(&error)),
        }
    }

    /// The rules name the port of a socket by TCP that is bound to nothing yet. Where they do not, what to write is told.
    pub(in crate::event_loop) fn may_bind_for(
        &mut self,
        worker: WorkerId,
        address: &Address,
        socket: &Foreign,
    ) -> bool {
        let is_new = is_tcp(socket.as_fd())
            && int_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_DOMAIN).ok()
                == Some(i32::from(address.family()))
            && own_address(socket.as_fd()).is_ok_and(|own| own.port() == Some(0));
        let is_named = rules::names_port(&self.config.settings.listeners.rules(), address);
        if is_new && !is_named {
            self.tell_unnamed(worker, address);
        }
        is_new && is_named
    }

    fn tell_unnamed(&mut self, worker: WorkerId, address: &Address) {
        // Where this process may not bind it either, there is nothing to be had by the rule.
        let Some(port) = address.port().filter(|port| may_bind(std::process::id(), *port)) else { return };
        if let Some(hushed) = self.requests.complaints.ask(self.now) {
            let (id, error) = (self.logical_id(worker), io::Error::from_raw_os_error(libc::EACCES));
            log::warn!(
                "worker {id} may not bind {address}: {error}; with --share '*:{port}' the supervisor binds it, with --keep-capability \
                 net_bind_service the worker may{hushed}"
            );
        }
    }
}

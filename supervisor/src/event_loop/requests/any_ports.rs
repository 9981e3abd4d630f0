//! Ports for sockets that are bound to port 0: the i-th of each kind has the same port in every worker, unless it is the worker's own. Who has
//! one of its own is the core's to say.

use super::super::Shell;
use super::super::os::Os;
use super::names::MAX_REMEMBERED;
use crate::ids::WorkerId;
use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::sockopt::{bind_raw, int_option, own_address, set_option};
use clustermon_protocol::address::{Address, INET6};
use std::io;
use std::os::fd::AsFd;

impl<O: Os> Shell<O> {
    /// Binds to the port that the cluster has for the i-th socket of this kind, which the first one gets from the kernel.
    /// False if the socket is to get one of its own.
    pub(in crate::event_loop) fn bind_any(
        &mut self,
        worker: WorkerId,
        pid: u32,
        address: &Address,
        socket: &Foreign,
    ) -> io::Result<bool> {
        let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
        if address.port() != Some(0) {
            return Err(invalid());
        }
        let v6_only = address.family() == INET6
            && int_option(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)? != 0;
        let process = self.lives.process_mut(worker).ok_or_else(invalid)?;
        let kind = (*address, v6_only);
        let count = process.bound_any.get(&kind).copied().unwrap_or(0);
        // Of a program that takes one address after the other.
        if count == 0 && process.bound_any.len() >= MAX_REMEMBERED {
            return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
        }
        let key = (*address, v6_only, count);
        let known = self.requests.any_ports.get(&key).copied();
        // Others that have started before have one in this place: it is no port of somebody's session.
        let is_shared = known.is_some_and(|port| self.is_served(&address.with_port(port)));
        if !is_shared && self.is_port_its_own(worker, pid, address) {
            return Ok(false);
        }
        set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT, &1i32.to_ne_bytes())?;
        // Its effect is over: the port is wanted now.
        set_option(socket.as_fd(), libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, &0i32.to_ne_bytes())?;
        let bound = match known {
            Some(port) => bind_raw(socket.as_fd(), address.with_port(port).as_bytes()),
            None => Err(io::ErrorKind::AddrInUse.into()),
        };
        match bound {
            Ok(()) => {}
            // Nobody of the cluster listens there, and a stranger took it: another will do.
            Err(_) if !is_shared => bind_raw(socket.as_fd(), address.as_bytes())?,
            Err(error) => return Err(error),
        }
        if let Some(process) = self.lives.process_mut(worker) {
            process.bound_any.insert(kind, count + 1);
        }
        let port = own_address(socket.as_fd())?.port().ok_or_else(invalid)?;
        if self.requests.any_ports.len() >= MAX_REMEMBERED {
            // Of a program that takes one port after the other.
            let listeners = &self.listeners.all;
            self.requests.any_ports.retain(|(address, _, _), port| {
                let address = address.with_port(*port);
                listeners.values().any(|listener| listener.address == address)
            });
        }
        self.requests.any_ports.insert(key, port);
        Ok(true)
    }

    fn is_served(&self, address: &Address) -> bool {
        self.listeners.all.values().any(|listener| listener.address == *address)
    }
}

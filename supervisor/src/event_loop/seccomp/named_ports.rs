//! Answers `bind` of TCP sockets of workers that have the seccomp filter and may not bind every port: what `--share` names the supervisor binds,
//! by an address that was read once. Everything else is the kernel's, by the rights of the program.

use super::super::Shell;
use super::super::os::Os;
use super::super::requests::errno;
use super::datagrams::Bind;
use crate::ids::WorkerId;
use crate::io::datagrams::socket::may_bind;
use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::sockopt::{bind_raw, is_tcp, own_address};
use crate::io::seccomp::notifier::Notifier;
use clustermon_protocol::address::Address;
use clustermon_protocol::rules;
use std::os::fd::AsFd;

/// Who may not bind this one may bind none of those for the privileged.
const LOWEST: u16 = 1;

impl<O: Os> Shell<O> {
    /// This is a socket that could be bound to a port that the process may not bind. Only where some address is shared by its name: else there
    /// is nothing that the supervisor could do.
    pub(super) fn may_need_help(&self, socket: &Foreign, pid: u32) -> bool {
        let rules = &self.config.settings.listeners.share;
        rules.iter().any(|rule| rules::of_udp(rule).is_none())
            && is_tcp(socket.as_fd())
            && !may_bind(pid, LOWEST)
    }

    /// The address of such a socket has been read.
    pub(super) fn bind_for(&mut self, worker: WorkerId, notifier: &Notifier, bind: &Bind, address: &Address) {
        let Bind { call, target, socket } = bind;
        // The call is made again because a signal has interrupted it.
        if own_address(socket.as_fd()).is_ok_and(|own| own == *address) {
            return notifier.succeed(call);
        }
        self.prepare_for_sharing(worker, socket);
        let is_low = address.port().is_some_and(|port| port != 0 && !may_bind(target.pid, port));
        if !is_low || !self.may_bind_for(worker, address, socket) {
            return notifier.proceed(call);
        }
        match bind_raw(socket.as_fd(), address.as_bytes()) {
            Ok(()) => notifier.succeed(call),
            Err(error) => notifier.fail(call, errno(&error)),
        }
    }
}

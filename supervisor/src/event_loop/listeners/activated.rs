//! Sockets of the service manager's: each becomes the shared socket of its address once a worker listens there, and goes on to be the service
//! manager's when the cluster is gone. Which there are is read once.

use super::super::Shell;
use super::super::os::Os;
use crate::config::{Config, Dispatch};
use crate::error::Error;
use crate::ids::{BalancerId, WorkerId};
use crate::io::launch::interception::{How, Interception};
use crate::io::sockets::activation::{self, ActivatedSocket};
use crate::io::sockets::listener::{Facts, Listener};
use clustermon_protocol::address::Address;
use std::io;

/// Those that were passed to this process, or why a cluster with these options can do nothing with them.
pub(in crate::event_loop) fn take(
    config: &Config,
    interception: Interception,
) -> Result<Vec<ActivatedSocket>, Error> {
    if activation::count() == 0 {
        return Ok(Vec::new());
    }
    let why = if config.settings.balancing.dispatch == Dispatch::Kernel {
        "with --dispatch kernel each worker needs a socket of its own: take another --dispatch"
    } else if interception.how == How::Seccomp {
        "a program whose listeners come by a seccomp filter finds its address taken: it has to be one that the library can enter"
    } else {
        let (sockets, unfit) = activation::sockets();
        for socket in &sockets {
            log::info!("socket activation: {} ({})", socket.facts.address, socket.label);
        }
        unfit.iter().for_each(|why| log::warn!("socket activation: {why}"));
        return Ok(sockets);
    };
    Err(Error::Activation { why })
}

impl<O: Os> Shell<O> {
    /// The service manager's socket at this address; of a path it is the one that made the file.
    pub(in crate::event_loop) fn activated(
        &self,
        address: &Address,
        file: Option<(u64, u64)>,
    ) -> Option<&ActivatedSocket> {
        self.listeners.activated.iter().find(|one| match address.path() {
            Some(_) => one.file.is_some() && one.file == file,
            None => one.facts.address == *address,
        })
    }

    /// What a worker's listener is that has the address of such a socket in name only: that very socket.
    pub(in crate::event_loop) fn facts_of_activated(&self, own: Facts) -> Facts {
        let given = self.listeners.activated.iter().find(|one| one.facts.address == own.address);
        given.map_or_else(|| own.clone(), |one| Facts { cookie: own.cookie, ..one.facts.clone() })
    }

    /// Opens a balancer on the socket with these facts, which the first worker listens on now.
    pub(super) fn open_activated(
        &mut self,
        worker: WorkerId,
        balancer: BalancerId,
        facts: Facts,
        backlog: i32,
    ) -> io::Result<()> {
        let given = self.listeners.activated.iter().find(|one| one.facts.inode == facts.inode);
        let socket = given.ok_or(io::ErrorKind::NotFound)?.copy()?;
        self.open_balancer(worker, balancer, socket, facts, backlog, false)
    }

    /// What keeps a worker from an address with the port of such a socket, which is not that socket's own.
    pub(in crate::event_loop) fn why_not_quite_activated(&self, address: &Address) -> Option<String> {
        let port = address.port()?;
        let one = self.listeners.activated.iter().find(|one| one.facts.address.port() == Some(port))?;
        let (exactly, label) = (one.facts.address, &one.label);
        Some(format!(
            "the service manager has passed a socket for exactly {exactly} ({label}): the program and the .socket unit have to agree"
        ))
    }

    /// Every worker is ready: connections to what none of them listens on would wait for nothing.
    pub(in crate::event_loop) fn tell_unused_sockets(&self) {
        let is_used = |one: &ActivatedSocket| {
            self.listeners.all.values().any(|listener: &Listener| listener.inode == one.facts.inode)
        };
        for one in self.listeners.activated.iter().filter(|one| !is_used(one)) {
            log::warn!(
                "socket activation: no worker listens on {} ({}): who connects there waits; the program has to bind exactly this address",
                one.facts.address,
                one.label
            );
        }
    }
}

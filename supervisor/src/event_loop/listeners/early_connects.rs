//! Workers that boot: their connections to addresses that others of the cluster serve, and ports that the system chooses for
//! them. The core decides what is refused and what is shared; here it is found out which address is meant, and told once.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::{BalancerId, WorkerId};
use crate::io::sockets::listener::{Key, Listener};
use crate::pool::Connecting;
use clustermon_protocol::address::Address;
use clustermon_protocol::message::{Place, Reply};
use clustermon_protocol::rules;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// What has been told, by slot: once is enough.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Told {
    refused: BTreeSet<u32>,
    own_port: BTreeSet<u32>,
}

impl<O: Os> Shell<O> {
    /// Answers a process that is about to connect. `Errno` refuses, `NotOwned` lets it go on, and `Owned` says that it need
    /// not ask again.
    pub(in crate::event_loop) fn on_connect(
        &mut self,
        worker: WorkerId,
        pid: u32,
        address: &Address,
        place: &Place<'_>,
    ) -> Reply<'static> {
        let to = self.listener_at(address, place);
        match self.pool.connects(self.now, worker, to) {
            Connecting::Refused { first } => {
                if first && self.listeners.told_early.refused.insert(worker.slot) {
                    log::info!(
                        "worker {}: process {pid} connects to {address} before it listens there: refused, as it would be if \
                         the worker ran alone",
                        self.logical_id(worker)
                    );
                }
                Reply::Errno(libc::ECONNREFUSED)
            }
            Connecting::Allowed => Reply::NotOwned,
            Connecting::Booted => Reply::Owned,
        }
    }

    /// The balancer that a connection to this address would come to.
    fn listener_at(&self, address: &Address, place: &Place<'_>) -> Option<BalancerId> {
        let Some(to) = Target::of(address) else {
            let file = (place.device, place.inode);
            let is_meant = |listener: &&Listener| match address.path() {
                Some(_) => place.inode != 0 && listener.file == Some(file),
                None => listener.address == *address,
            };
            return self.listeners.all.values().find(is_meant).map(|listener| listener.id);
        };
        let meets = |exact| {
            let is_meant = |listener: &&Listener| to.is_taken_by(&listener.address, &listener.key, exact);
            self.listeners.all.values().find(is_meant).map(|listener| listener.id)
        };
        // A wildcard takes what comes to an address of this machine, and nothing else.
        meets(true).or_else(|| meets(false).filter(|_| is_local(to.ip)))
    }

    /// Whether a port that the system chooses now for a socket of the worker is its own; if so, that is said once.
    pub(in crate::event_loop) fn is_port_its_own(
        &mut self,
        worker: WorkerId,
        pid: u32,
        address: &Address,
    ) -> bool {
        // Whoever says that such ports are shared means all of them.
        if rules::told(&self.config.settings.listeners.rules(), address, b"") == Some(true) {
            return false;
        }
        if !self.pool.opens_for_itself(self.now, worker) {
            return false;
        }
        if self.listeners.told_early.own_port.insert(worker.slot) {
            log::info!(
                "worker {}: process {pid} has asked the system for a port ({address}) after the worker was ready: such ports \
                 are its own and not shared; to share them: --share '{address}'",
                self.logical_id(worker)
            );
        }
        true
    }
}

/// Where a connection goes. What is mapped into IPv6 is IPv4, and to the wildcard is to this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target {
    ip: IpAddr,
    port: u16,
}

impl Target {
    /// `None` for unix.
    fn of(address: &Address) -> Option<Self> {
        let ip = match ip_of(address)? {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        Some(Self { ip, port: address.port()? })
    }

    fn is_taken_by(self, listener: &Address, key: &Key, exact: bool) -> bool {
        let (Some(ip), Key::Inet { v6_only, .. }) = (ip_of(listener), key) else { return false };
        let meets = match (ip, self.ip) {
            _ if exact => ip == self.ip,
            (IpAddr::V6(ip), IpAddr::V4(_)) => ip.is_unspecified() && !v6_only,
            (ip, _) => ip.is_unspecified() && ip.is_ipv4() == self.ip.is_ipv4(),
        };
        meets && listener.port() == Some(self.port)
    }
}

fn ip_of(address: &Address) -> Option<IpAddr> {
    let v4 = address.ipv4().map(IpAddr::V4);
    v4.or_else(|| address.ipv6().map(|ip| ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)))
}

/// Whether the address is one of this machine: what is sent there would come from there. Nothing is sent.
fn is_local(ip: IpAddr) -> bool {
    let from = || -> std::io::Result<IpAddr> {
        let any =
            if ip.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((ip, 9))?;
        Ok(socket.local_addr()?.ip())
    };
    ip.is_loopback() || from().is_ok_and(|from| from == ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(v6_only: bool) -> Key {
        Key::Inet { address: Address::v4(Ipv4Addr::LOCALHOST, 1), v6_only, device: Vec::new() }
    }

    fn v4(text: &str) -> Address {
        Address::v4(text.parse().unwrap(), 80)
    }

    fn v6(text: &str) -> Address {
        Address::v6(text.parse().unwrap(), 80)
    }

    #[test]
    fn a_connection_comes_to_the_exact_address_or_to_a_wildcard_that_includes_it() {
        let to = Target::of(&v4("127.0.0.1")).unwrap();
        assert!(to.is_taken_by(&v4("127.0.0.1"), &key(false), true));
        assert!(to.is_taken_by(&v4("0.0.0.0"), &key(false), false));
        assert!(to.is_taken_by(&v6("::"), &key(false), false));
        assert!(!to.is_taken_by(&v6("::"), &key(true), false));
        assert!(!to.is_taken_by(&v4("127.0.0.2"), &key(false), false));
        assert!(!to.is_taken_by(&v4("0.0.0.0").with_port(81), &key(false), false));
        let to = Target::of(&v6("::1")).unwrap();
        assert!(to.is_taken_by(&v6("::"), &key(true), false));
        assert!(!to.is_taken_by(&v4("0.0.0.0"), &key(false), false));
        assert_eq!(Target::of(&v6("::ffff:127.0.0.1")), Target::of(&v4("127.0.0.1")));
        assert_eq!(Target::of(&v4("0.0.0.0")), Target::of(&v4("127.0.0.1")));
        assert_eq!(Target::of(&v6("::")), Target::of(&v6("::1")));
    }

    #[test]
    fn an_address_of_another_machine_is_not_local() {
        assert!(is_local("127.8.9.1".parse().unwrap()) && is_local("::1".parse().unwrap()));
        // Of the range for documentation: nobody has it.
        assert!(!is_local("192.0.2.1".parse().unwrap()));
    }
}

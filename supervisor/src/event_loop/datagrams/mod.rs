//! UDP sockets that workers share: each worker has one of its own, and the kernel chooses among them by flow. Here the sockets come and go,
//! and the kernel is told which of them may be given new flows. Which these are is the core's to say.

pub(super) mod binding;
mod leaving;
mod watching;

use super::Shell;
use super::os::Os;
use crate::api;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::datagrams::group::Group;
use crate::io::datagrams::member::Member;
use crate::io::datagrams::socket::Key;
use crate::pool;
use clustermon_protocol::address::Address;
use std::collections::{BTreeMap, HashMap};
use std::os::fd::AsFd;
use std::time::Instant;

/// All groups of UDP sockets, with the supervisor's copies of these.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Datagrams {
    groups: BTreeMap<BalancerId, Group>,
    by_key: HashMap<Key, BalancerId>,
    /// By the name that the core has for each.
    members: BTreeMap<LaneId, Member>,
    /// Sockets that no process has, kept for what waits in them or may come to them.
    orphans: BTreeMap<LaneId, Member>,
    /// Addresses that are served no more, of which something may yet be said.
    closed: Vec<(BalancerId, Address)>,
    next_look: Option<Instant>,
}

impl Datagrams {
    /// The kernel chooses there, or did until the last of its sockets is closed.
    pub(in crate::event_loop) fn has(&self, balancer: BalancerId) -> bool {
        self.groups.contains_key(&balancer)
    }

    pub(in crate::event_loop) fn has_member(&self, lane: LaneId) -> bool {
        self.members.contains_key(&lane)
    }

    /// As it is written on the command line.
    pub(in crate::event_loop) fn address_of(&self, balancer: BalancerId) -> Option<String> {
        let closed = || self.closed.iter().find(|(id, _)| *id == balancer).map(|(_, address)| address);
        let address = self.groups.get(&balancer).map(|group| &group.address).or_else(closed)?;
        Some(format!("udp:{address}"))
    }

    /// The members of one worker.
    pub(in crate::event_loop) fn of(&self, worker: WorkerId) -> impl Iterator<Item = (LaneId, &Member)> {
        let its = move |(_, member): &(&LaneId, &Member)| member.worker == worker;
        self.members.iter().filter(its).map(|(id, member)| (*id, member))
    }

    pub(in crate::event_loop) fn next_look(&self) -> Option<Instant> {
        self.next_look
    }
}

fn named(group: &Group) -> String {
    format!("udp:{}", group.address)
}

impl<O: Os> Shell<O> {
    /// The kernel gives new flows to the rotation of the balancer from now on.
    pub(in crate::event_loop) fn steer_datagrams(&mut self, balancer: BalancerId) {
        let known = self.pool.balancer(balancer);
        let mut live: Vec<LaneId> = known.map(|known| known.rotation().collect()).unwrap_or_default();
        live.sort_unstable();
        let Datagrams { groups, members, orphans, .. } = &mut self.datagrams;
        let Some(group) = groups.get_mut(&balancer) else { return };
        let socket = members.values().chain(orphans.values()).find(|member| member.balancer == balancer);
        if let Err(error) = group.steer(&live, socket.map(AsFd::as_fd)) {
            log::error!("{}: the kernel keeps its choice of workers: {error}", named(group));
        }
        for (id, member) in members.iter_mut().filter(|(_, member)| member.balancer == balancer) {
            member.is_given_new(self.now, group.is_live(*id));
        }
        self.settle_datagrams(balancer);
    }

    /// The UDP addresses that are served, for people.
    pub(in crate::event_loop) fn describe_datagrams(
        &self,
    ) -> impl Iterator<Item = (BalancerId, api::Balancer)> {
        let served = |(id, group): (&BalancerId, &Group)| {
            let known = self.pool.balancer(*id)?;
            let name = |lane| Some(self.logical_id(self.pool.lane(lane)?.worker()).to_owned());
            let described = api::Balancer {
                state: match known.state() {
                    pool::BalancerState::Stopping => api::BalancerState::Stopping,
                    // Its sockets are never opened by anybody but its workers.
                    pool::BalancerState::Standby { .. }
                    | pool::BalancerState::Starting
                    | pool::BalancerState::Running => api::BalancerState::Running,
                },
                address: named(group),
                backlog: 0,
                queued: 0,
                dispatch: group.level().name().to_owned(),
                dispatch_reason: Some(group.reason().to_owned()),
                policy: "flow".to_owned(),
                connections: known.dispatched(),
                late: 0,
                rotation: known.rotation().filter_map(name).collect(),
            };
            Some((*id, described))
        };
        self.datagrams.groups.iter().filter_map(served)
    }
}

//! Kernel dispatch: each worker accepts from a listening socket of its own, and the kernel chooses among these. Here the sockets come and
//! go, and the kernel is told which of them it may choose. Which these are is the core's to say.

mod intake;
mod joining;
mod leaving;
mod watching;

pub(super) use joining::Joined;

use super::Shell;
use super::health::monitor::joined;
use super::os::Os;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::steering::group::Group;
use crate::io::steering::member::Member;
use crate::pool::LaneStatus;
use std::collections::BTreeMap;
use std::os::fd::AsFd;

/// All groups of sockets, with the supervisor's copies of these.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Steering {
    groups: BTreeMap<BalancerId, Group>,
    /// By the name that the core has for each.
    members: BTreeMap<LaneId, Member>,
    /// Sockets that no process has, kept for what waits in them or may come to them.
    orphans: BTreeMap<LaneId, Member>,
}

impl Steering {
    /// The kernel chooses at this address.
    pub(in crate::event_loop) fn has(&self, balancer: BalancerId) -> bool {
        self.groups.contains_key(&balancer)
    }

    pub(in crate::event_loop) fn group(&self, balancer: BalancerId) -> Option<&Group> {
        self.groups.get(&balancer)
    }

    /// The socket with this inode is a member, or was.
    pub(in crate::event_loop) fn has_socket(&self, inode: u64) -> bool {
        self.members.values().chain(self.orphans.values()).any(|member| member.inode == inode)
    }

    /// The members of one worker.
    pub(in crate::event_loop) fn of(&self, worker: WorkerId) -> impl Iterator<Item = (LaneId, &Member)> {
        let its = move |(_, member): &(&LaneId, &Member)| member.worker == worker;
        self.members.iter().filter(its).map(|(id, member)| (*id, member))
    }

    /// The members that processes have.
    pub(in crate::event_loop) fn members(&self) -> impl Iterator<Item = (LaneId, &Member)> {
        self.members.iter().map(|(id, member)| (*id, member))
    }

    fn member_mut(&mut self, id: LaneId) -> Option<&mut Member> {
        self.members.get_mut(&id)
    }

    /// Members and orphans of one address.
    fn sockets(&self, balancer: BalancerId) -> impl Iterator<Item = &Member> {
        self.members.values().chain(self.orphans.values()).filter(move |member| member.balancer == balancer)
    }

    /// Connections that wait at the address, in all queues of it.
    pub(in crate::event_loop) fn waiting(&self, balancer: BalancerId) -> u64 {
        let split = self.groups.get(&balancer).is_none_or(Group::is_split);
        // What all share is one queue.
        let sockets = self.sockets(balancer).take(if split { usize::MAX } else { 1 });
        sockets.filter_map(Member::waiting).map(u64::from).sum()
    }
}

impl<O: Os> Shell<O> {
    /// The kernel chooses among the rotation of the balancer from now on.
    pub(in crate::event_loop) fn steer(&mut self, balancer: BalancerId) {
        if self.datagrams.has(balancer) {
            return self.steer_datagrams(balancer);
        }
        if !self.steering.has(balancer) {
            return self.steer_shared(balancer);
        }
        let Some(known) = self.pool.balancer(balancer) else { return };
        let refusing = known.is_refusing();
        let mut live: Vec<LaneId> = known.rotation().collect();
        live.sort_unstable();
        let Steering { groups, members, orphans } = &mut self.steering;
        let Some(group) = groups.get_mut(&balancer) else { return };
        let listens = |member: &&Member| member.balancer == balancer && member.waiting().is_some();
        let socket = members.values().chain(orphans.values()).find(listens);
        if let Err(error) = group.steer(&live, socket.map(AsFd::as_fd)) {
            let address = self.listeners.all.get(&balancer).map(|listener| listener.address.to_string());
            log::error!("{}: the kernel keeps its choice of workers: {error}", address.unwrap_or_default());
        }
        let is_refused = group.refuse(refusing);
        for (id, member) in members.iter_mut().filter(|(_, member)| member.balancer == balancer) {
            if group.is_live(*id) {
                member.out_since = None;
            } else {
                member.out_since.get_or_insert(self.now);
            }
        }
        if refusing && !is_refused {
            self.refuse_waiting(balancer);
        }
        self.relieve_suspects(balancer);
        self.settle_orphans(balancer);
    }

    /// What waits at workers that take nothing goes to those that do, where the kernel moves it.
    pub(super) fn relieve_suspects(&mut self, balancer: BalancerId) {
        let Some(address) = self.listeners.all.get(&balancer).map(|listener| listener.address) else {
            return;
        };
        // Whose end of a stop is told, or whose pulse shows it, need not be tried.
        let (now, clock, lives) = (self.now, self.os.monotonic(), &self.lives);
        let to_be_tried = |worker| {
            lives.get(worker).is_some_and(|life| {
                let is_seen = !life.has_filter && joined(&life.process, clock).accepted > 0;
                !is_seen && life.suspended.lasts(now).is_none()
            })
        };
        let Steering { groups, members, .. } = &mut self.steering;
        let Some(group) = groups.get_mut(&balancer).filter(|group| group.migrates() && group.has_live())
        else {
            return;
        };
        let mut broken = Vec::new();
        for (&id, member) in members.iter_mut().filter(|(_, member)| member.balancer == balancer) {
            let is_suspect = self.pool.lane(id).is_some_and(|lane| lane.status() == LaneStatus::Suspect);
            let waiting = member.waiting().unwrap_or(0);
            if !is_suspect || group.is_live(id) || waiting == 0 {
                continue;
            }
            // A moment of not listening moves the queue.
            member.shut();
            let again = member.listen_again(&address).and_then(|()| group.rejoin(id, member.as_fd()));
            member.moved(now, to_be_tried(member.worker));
            match again {
                Ok(()) => {
                    log::debug!("{address}: {waiting} connections go from a worker that takes none to others")
                }
                Err(error) => broken.push((id, error)),
            }
        }
        for (lane, error) in broken {
            log::error!("{address}: the socket of a worker cannot listen again: {error}");
            self.pool.handle(self.now, crate::pool::Input::LaneClosed { lane });
        }
    }
}

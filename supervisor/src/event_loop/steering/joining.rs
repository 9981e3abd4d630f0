//! How a worker's listening socket becomes a member of a group, which the first one opens. The worker goes on with its own socket, or with
//! one that it gets in its place.

use super::super::Shell;
use super::super::os::Os;
use super::super::requests::errno;
use super::Steering;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::sockopt;
use crate::io::lanes::lane::Holder;
use crate::io::lanes::thunk_socket::Answerer;
use crate::io::sockets::listener::{Facts, Listener};
use crate::io::steering::group::Group;
use crate::io::steering::level::Best;
use crate::io::steering::member::Member;
use crate::pool::{Input, Route};
use clustermon_protocol::env;
use clustermon_protocol::message::{Place, Reply};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// What came of it.
#[derive(Debug)]
pub(in crate::event_loop) struct Joined {
    pub(in crate::event_loop) member: LaneId,
    pub(in crate::event_loop) balancer: BalancerId,
    /// The worker is to listen on this one, and not on its own.
    pub(in crate::event_loop) instead: Option<OwnedFd>,
    /// The core has yet to hear of it.
    pub(in crate::event_loop) is_new: bool,
}

impl<O: Os> Shell<O> {
    /// A socket of this kind is to be a member of a group. A supervisor that is itself a worker has no sockets of its own.
    pub(in crate::event_loop) fn may_join(&self, socket: &Foreign) -> bool {
        use crate::config::Dispatch;
        self.config.settings.balancing.dispatch == Dispatch::Kernel
            && std::env::var_os(env::SOCKET).is_none()
            && sockopt::int_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_DOMAIN)
                .is_ok_and(|domain| domain != libc::AF_UNIX)
    }

    /// Answers a process that listens.
    pub(in crate::event_loop) fn listen_as_member(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: Foreign,
        backlog: i32,
        place: &Place<'_>,
        caller: Answerer,
    ) {
        let Joined { member, balancer, instead, is_new } =
            match self.join_group(worker, holder, socket, backlog, place) {
                Ok(joined) => joined,
                Err(error) => {
                    caller.reply(&Reply::Errno(errno(&error)), None);
                    return;
                }
            };
        self.join(worker, holder.pid);
        let delivery = caller.deliver(&Reply::Member, instead.as_ref().map(AsFd::as_fd));
        let Some(delivery) = delivery else {
            if is_new {
                self.retire_member(member);
            }
            return self.input(Input::Unlistened { balancer });
        };
        if instead.is_some() {
            self.deliveries.push((member, delivery));
        }
        if is_new {
            self.input(Input::LaneOpened { lane: member, worker, balancer });
            self.may_be_ready(worker);
        }
    }

    /// Makes the socket, or another in its place, a member of the group of its address. The core is yet to be told of it.
    pub(in crate::event_loop) fn join_group(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: Foreign,
        backlog: i32,
        place: &Place<'_>,
    ) -> io::Result<Joined> {
        let cookie = sockopt::cookie(socket.as_fd())?;
        let owned = self.lives.process_mut(worker).and_then(|process| process.owned.remove(&cookie));
        let facts = self.os.facts(&socket, owned, place.path)?;
        let in_use = || io::Error::from_raw_os_error(libc::EADDRINUSE);
        if let Some(address) = owned {
            let id = self.logical_id(worker);
            log::warn!(
                "worker {id} cannot listen on {address}: the kernel has not let it bind there, and with --dispatch kernel \
                 each worker needs a socket of its own; start all workers as the same user, or use --dispatch credit"
            );
            return Err(in_use());
        }
        if let Some((&member, known)) = self.steering.members.iter().find(|(_, known)| known.cookie == cookie)
        {
            // It listens once more on what it has, perhaps with another backlog; the kernel takes that as nothing new.
            let balancer = known.balancer;
            return Ok(Joined { member, balancer, instead: None, is_new: false });
        }
        self.may_open_another(worker, holder, &facts.address)?;
        let balancer = match self.by_key.get(&facts.key).copied() {
            Some(balancer) => {
                if self.has_member_already(worker, holder, balancer, &facts) {
                    let what = format!("listens on {} twice", facts.address);
                    self.accuse_worker(worker, holder.pid, what);
                    return Err(in_use());
                }
                balancer
            }
            None => self.open_group(worker, &socket, &facts, backlog)?,
        };
        self.add_member(worker, holder, socket, &facts, balancer)
    }

    fn add_member(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: Foreign,
        facts: &Facts,
        balancer: BalancerId,
    ) -> io::Result<Joined> {
        let id = LaneId(self.next_lane);
        self.next_lane += 1;
        self.idle_lanes.opened(self.now);
        let gone = || io::Error::from_raw_os_error(libc::EADDRINUSE);
        let listener = self.listeners.get(&balancer).ok_or_else(gone)?;
        let backlog = i32::try_from(listener.backlog).unwrap_or(i32::MAX);
        let Steering { groups, members, orphans } = &mut self.steering;
        let group = groups.get_mut(&balancer).ok_or_else(gone)?;
        let mut joined = Joined { member: id, balancer, instead: None, is_new: true };
        if !group.is_split() {
            // What all share is what the first one brought.
            let copy = listener.as_fd().try_clone_to_owned()?;
            joined.instead =
                (facts.inode != listener.inode).then(|| listener.as_fd().try_clone_to_owned()).transpose()?;
            let names = (listener.inode, sockopt::cookie(listener.as_fd())?);
            members.insert(id, Member::new((worker, balancer, holder), names, backlog, copy.into()));
            return Ok(joined);
        }
        let waits = |member: &Member| member.balancer == balancer && !group.migrates();
        let left = orphans.iter().find(|(_, member)| waits(member)).map(|(left, _)| *left);
        if let Some(left) = left
            && let Some(mut member) = orphans.remove(&left)
        {
            // What waits there can only be accepted from this very socket.
            joined.instead = Some(member.copy()?);
            member.pass_to(worker, holder);
            group.rename(left, id);
            members.insert(id, member);
            return Ok(joined);
        }
        sockopt::listen(socket.as_fd(), backlog)?;
        let names = (facts.inode, facts.cookie);
        let member = Member::new((worker, balancer, holder), names, backlog, socket);
        if let Err(error) = group.join(id, member.as_fd()) {
            member.shut();
            return Err(error);
        }
        members.insert(id, member);
        Ok(joined)
    }

    /// A group at an address where there is none, which begins with a copy of this socket.
    fn open_group(
        &mut self,
        worker: WorkerId,
        socket: &Foreign,
        facts: &Facts,
        backlog: i32,
    ) -> io::Result<BalancerId> {
        self.refuse_taken(worker, socket, facts)?;
        let id = BalancerId(self.next_balancer);
        self.next_balancer += 1;
        let backlog = backlog.max(i32::try_from(self.config.settings.listeners.backlog).unwrap_or(i32::MAX));
        let copy = Foreign::from(socket.as_fd().try_clone_to_owned()?);
        let listener = Listener::of_group(id, copy, facts.clone(), backlog)?;
        let group = Group::open(Best::find(), listener.as_fd());
        log::info!("{}: {}", listener.address, group.reason());
        self.steering.groups.insert(id, group);
        self.by_key.insert(facts.key.clone(), id);
        self.listeners.insert(id, listener);
        self.input(Input::BalancerOpened { balancer: id, route: Route::Kernel });
        Ok(id)
    }

    /// A process that listens again at an address where it does made a mistake, unless it set SO_REUSEPORT itself.
    fn has_member_already(
        &self,
        worker: WorkerId,
        holder: Holder,
        balancer: BalancerId,
        facts: &Facts,
    ) -> bool {
        let same = |member: &Member| member.balancer == balancer && member.holder.pid == holder.pid;
        !self.may_listen_twice(worker, facts)
            && self.steering.of(worker).any(|(_, member)| same(member) && member.is_where_it_was())
    }
}

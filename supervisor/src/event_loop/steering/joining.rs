//! How a worker's listening socket becomes a member of a group, which the first one opens. The worker goes on with its own socket, or with
//! one that it gets in its place.

use super::super::Shell;
use super::super::listeners::state::Listeners;
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
use crate::io::steering::member::{self, Member};
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
        let joined = self
            .facts_of(worker, &socket, place)
            .and_then(|facts| self.join_group(worker, holder, socket, facts, backlog));
        let Joined { member, balancer, instead, is_new } = match joined {
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
            self.lanes.deliveries.push((member, delivery));
        }
        if is_new {
            self.input(Input::LaneOpened { lane: member, worker, balancer });
            self.may_be_ready(worker);
        }
    }

    /// What a socket is that came by the library. An error where it was bound in name only: it can be no member.
    fn facts_of(&mut self, worker: WorkerId, socket: &Foreign, place: &Place<'_>) -> io::Result<Facts> {
        let cookie = sockopt::cookie(socket.as_fd())?;
        let owned = self.lives.process_mut(worker).and_then(|process| process.owned.remove(&cookie));
        let facts = self.os.facts(socket, owned, place.path)?;
        if let Some(address) = owned {
            let id = self.logical_id(worker);
            log::warn!(
                "worker {id} cannot listen on {address}: the kernel has not let it bind there, and with --dispatch kernel \
                 each worker needs a socket of its own; start all workers as the same user, or use --dispatch credit"
            );
            return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
        }
        Ok(facts)
    }

    /// Makes the socket, or another in its place, a member of the group of its address. The core is yet to be told of it.
    pub(in crate::event_loop) fn join_group(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: Foreign,
        facts: Facts,
        backlog: i32,
    ) -> io::Result<Joined> {
        if let Some(joined) = self.listens_once_more(holder, facts.cookie)? {
            return Ok(joined);
        }
        self.may_open_another(worker, holder, &facts.address)?;
        let balancer = match self.listeners.by_key.get(&facts.key).copied() {
            Some(balancer) => {
                if self.has_member_already(worker, holder, balancer, &facts) {
                    let what = format!("listens on {} twice", facts.address);
                    self.accuse_worker(worker, holder.pid, what);
                    return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
                }
                balancer
            }
            None => {
                let (listener, group) = self.listen_in_group(worker, &socket, &facts, backlog)?;
                self.open_group(listener, group)
            }
        };
        let joined = self.add_member(worker, holder, socket, &facts, balancer)?;
        self.ask_for_others(worker, holder, &joined);
        Ok(joined)
    }

    /// The member that the socket is already. A second listen(), perhaps by a program that has been executed since, changes the length of
    /// the queue at most, unless the program has shut its socket down before.
    pub(in crate::event_loop) fn listens_once_more(
        &mut self,
        holder: Holder,
        cookie: u64,
    ) -> io::Result<Option<Joined>> {
        let Self {
            steering: Steering { groups, members, .. },
            listeners: Listeners { all: listeners, .. },
            ..
        } = self;
        let Some((&id, known)) = members.iter_mut().find(|(_, known)| known.cookie == cookie) else {
            return Ok(None);
        };
        let balancer = known.balancer;
        known.seen_at = holder;
        if let (None, Some(listener), Some(group)) =
            (known.waiting(), listeners.get(&balancer), groups.get_mut(&balancer))
        {
            known.listen_again(&listener.address)?;
            group.rejoin(id, known.as_fd())?;
        }
        Ok(Some(Joined { member: id, balancer, instead: None, is_new: false }))
    }

    fn add_member(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: Foreign,
        facts: &Facts,
        balancer: BalancerId,
    ) -> io::Result<Joined> {
        let id = self.lanes.name_another();
        self.lanes.idle.opened(self.now);
        let gone = || io::Error::from_raw_os_error(libc::EADDRINUSE);
        let listener = self.listeners.all.get(&balancer).ok_or_else(gone)?;
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
        // It is the very socket, which somebody of a process that is gone has left; or what waits there can only be accepted from it.
        let waits = |member: &Member| {
            member.cookie == facts.cookie || member.balancer == balancer && !group.migrates()
        };
        let left = orphans.iter().filter(|(_, member)| waits(member));
        let left = left.max_by_key(|(_, member)| member.cookie == facts.cookie).map(|(left, _)| *left);
        if let Some(left) = left
            && let Some(mut member) = orphans.remove(&left)
        {
            joined.instead = (member.cookie != facts.cookie).then(|| member.copy()).transpose()?;
            member.pass_to(worker, holder);
            group.rename(left, id);
            members.insert(id, member);
            return Ok(joined);
        }
        let (socket, names) = if group.takes(socket.as_fd()) {
            sockopt::listen(socket.as_fd(), backlog)?;
            (socket, (facts.inode, facts.cookie))
        } else {
            // The first one's kind decides for all: of this kind the kernel could choose none.
            let plain = Foreign::from(member::plain(socket.as_fd(), &facts.address, backlog)?);
            joined.instead = Some(plain.as_fd().try_clone_to_owned()?);
            let names = (nix::sys::stat::fstat(&plain)?.st_ino, sockopt::cookie(plain.as_fd())?);
            (plain, names)
        };
        let member = Member::new((worker, balancer, holder), names, backlog, socket);
        if let Err(error) = group.join(id, member.as_fd()) {
            member.shut();
            return Err(error);
        }
        members.insert(id, member);
        Ok(joined)
    }

    /// Listens on a copy of the first socket at an address, and finds out how the kernel chooses there. The address is not the cluster's
    /// yet.
    pub(in crate::event_loop) fn listen_in_group(
        &mut self,
        worker: WorkerId,
        socket: &Foreign,
        facts: &Facts,
        backlog: i32,
    ) -> io::Result<(Listener, Group)> {
        self.refuse_taken(worker, socket, facts)?;
        let id = self.listeners.name_another();
        let backlog = backlog.max(i32::try_from(self.config.settings.listeners.backlog).unwrap_or(i32::MAX));
        let copy = Foreign::from(socket.as_fd().try_clone_to_owned()?);
        let listener = Listener::of_group(id, copy, facts.clone(), backlog)?;
        let group = Group::open(Best::find(), listener.as_fd());
        log::info!("{}: {}", listener.address, group.reason());
        Ok((listener, group))
    }

    /// A group that begins with this socket.
    pub(in crate::event_loop) fn open_group(&mut self, listener: Listener, group: Group) -> BalancerId {
        let id = listener.id;
        self.steering.groups.insert(id, group);
        self.listeners.by_key.insert(listener.key.clone(), id);
        self.listeners.all.insert(id, listener);
        self.input(Input::BalancerOpened { balancer: id, route: Route::Kernel });
        id
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

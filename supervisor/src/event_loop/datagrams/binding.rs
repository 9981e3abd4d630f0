//! How a worker's UDP socket becomes a member of a group, which the first one opens. The supervisor binds it: so it knows in which order the
//! kernel has the sockets, and who binds the same address twice is told so before anything is bound.

use super::super::Shell;
use super::super::os::Os;
use super::super::requests::errno;
use super::{Datagrams, named};
use crate::config::Ready;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::datagrams::group::Group;
use crate::io::datagrams::level::Best;
use crate::io::datagrams::member::Member;
use crate::io::datagrams::socket::{self, Facts};
use crate::io::kernel::foreign::Foreign;
use crate::io::lanes::lane::Holder;
use crate::io::lanes::thunk_socket::Answerer;
use crate::pool::{Input, Route};
use clustermon_protocol::address::Address;
use clustermon_protocol::message::Reply;
use clustermon_protocol::{env, rules};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// What a process asks for that binds a UDP socket.
#[derive(Clone, Copy, Debug)]
pub(in crate::event_loop) struct Wanted {
    pub(in crate::event_loop) address: Address,
    /// The program itself has set SO_REUSEPORT: it means to bind more than one.
    pub(in crate::event_loop) meant: bool,
}

/// What came of it.
pub(in crate::event_loop) struct Bound {
    pub(in crate::event_loop) member: LaneId,
    pub(in crate::event_loop) balancer: BalancerId,
    /// The worker is to have this one, and not its own.
    pub(in crate::event_loop) instead: Option<OwnedFd>,
}

impl<O: Os> Shell<O> {
    /// Answers a process that binds a UDP socket to this address, and perhaps has meant to bind more than one.
    pub(in crate::event_loop) fn bind_datagrams(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: Foreign,
        (address, meant): (Address, bool),
        caller: Answerer,
    ) {
        let wanted = Wanted { address, meant };
        let bound = match self.bind_shared(worker, holder, socket, wanted) {
            Ok(Some(bound)) => bound,
            Ok(None) => {
                caller.reply(&Reply::NotOwned, None);
                return;
            }
            Err(error) => {
                caller.reply(&Reply::Errno(errno(&error)), None);
                return;
            }
        };
        self.join(worker, holder.pid);
        let delivery = caller.deliver(&Reply::Member, bound.instead.as_ref().map(AsFd::as_fd));
        let Some(delivery) = delivery else { return self.turn_away_datagrams(&bound) };
        self.lanes.deliveries.push((bound.member, delivery));
        self.enter_datagrams(worker, &bound);
    }

    /// The process is gone before it had its socket.
    pub(in crate::event_loop) fn turn_away_datagrams(&mut self, bound: &Bound) {
        self.retire_datagrams(bound.member);
        self.input(Input::Unlistened { balancer: bound.balancer });
    }

    /// The process has its socket: the worker takes part.
    pub(in crate::event_loop) fn enter_datagrams(&mut self, worker: WorkerId, bound: &Bound) {
        let Bound { member, balancer, .. } = *bound;
        self.input(Input::LaneOpened { lane: member, worker, balancer });
        // Nothing but its program could answer a datagram.
        if !matches!(self.config.settings.readiness.ready, Some(Ready::Tcp | Ready::Http(_))) {
            self.may_be_ready(worker);
        }
    }

    /// The program asks for what is sent to all. Go sets the option on every socket of IPv4, so that it says nothing there.
    fn means_all(&self, worker: WorkerId, socket: &Foreign) -> bool {
        let has_filter = self.lives.get(worker).is_some_and(|life| life.has_filter);
        !has_filter && socket::is_for_broadcast(socket.as_fd())
    }

    /// Binds the socket, or has another in its place. `None` where it is left to the process and the kernel.
    pub(in crate::event_loop) fn bind_shared(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: Foreign,
        wanted: Wanted,
    ) -> io::Result<Option<Bound>> {
        let Wanted { address, meant } = wanted;
        let is_ours = rules::shares_datagrams(&self.config.settings.listeners.rules(), &address)
            && std::env::var_os(env::SOCKET).is_none()
            && !self.means_all(worker, &socket)
            && (address.port().is_some_and(|port| socket::may_bind(holder.pid, port))
                || rules::names_port_of_datagrams(&self.config.settings.listeners.rules(), &address));
        let Some(facts) = is_ours.then(|| Facts::of(socket.as_fd(), &address).ok()).flatten() else {
            return Ok(None);
        };
        self.may_open_another(worker, holder, &address)?;
        let balancer = match self.datagrams.by_key.get(&facts.key).copied() {
            Some(balancer) => {
                self.let_go_of_closed(worker, holder, balancer, wanted)?;
                if let Some(bound) = self.take_over(worker, holder, balancer)? {
                    return Ok(Some(bound));
                }
                bind(&socket, wanted)?;
                balancer
            }
            None => {
                if !meant && let Err(error) = socket::is_free(socket.as_fd(), &address) {
                    log::info!("worker {}: udp:{address}: {error}", self.logical_id(worker));
                    return Err(error);
                }
                bind(&socket, wanted)?;
                self.open_flows(&socket, &facts, address)
            }
        };
        let member = self.lanes.name_another();
        let Datagrams { groups, members, next_look, .. } = &mut self.datagrams;
        let group = groups.get_mut(&balancer).ok_or(io::ErrorKind::NotFound)?;
        group.join(member, socket.as_fd())?;
        let names = (facts.inode, facts.cookie);
        members.insert(member, Member::new((worker, balancer, holder), names, self.now, socket));
        next_look.get_or_insert(self.now);
        Ok(Some(Bound { member, balancer, instead: None }))
    }

    /// An error where the process has a socket there and did not mean to have two. One that it has closed is its no more.
    fn let_go_of_closed(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        balancer: BalancerId,
        wanted: Wanted,
    ) -> io::Result<()> {
        let same = |member: &Member| member.balancer == balancer && member.holder.pid == holder.pid;
        let own = self.datagrams.of(worker).filter(|(_, member)| same(member));
        let (kept, closed): (Vec<_>, Vec<_>) =
            own.map(|(id, member)| (id, member.is_where_it_was())).partition(|(_, is_there)| *is_there);
        if !kept.is_empty() && !wanted.meant {
            let what = format!("binds udp:{} twice", wanted.address);
            self.accuse_worker(worker, holder.pid, what);
            return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
        }
        for (lane, _) in closed.into_iter().filter(|_| !wanted.meant) {
            self.input(Input::LaneClosed { lane });
        }
        Ok(())
    }

    /// A socket that a dead worker has left, with what waits in it.
    fn take_over(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        balancer: BalancerId,
    ) -> io::Result<Option<Bound>> {
        let Datagrams { groups, members, orphans, .. } = &mut self.datagrams;
        let left = orphans.iter().find(|(_, member)| member.balancer == balancer).map(|(left, _)| *left);
        let (Some(group), Some(left)) = (groups.get_mut(&balancer), left) else { return Ok(None) };
        let Some(mut member) = orphans.remove(&left) else { return Ok(None) };
        let instead = Some(member.copy()?);
        let id = self.lanes.name_another();
        member.pass_to(worker, holder);
        group.rename(left, id);
        log::debug!("{}: what waits for a worker that is gone is another's now", named(group));
        members.insert(id, member);
        Ok(Some(Bound { member: id, balancer, instead }))
    }

    /// A group at an address where there is none, of which this socket, which is bound, will be the first member.
    fn open_flows(&mut self, socket: &Foreign, facts: &Facts, address: Address) -> BalancerId {
        let id = self.listeners.name_another();
        let group = Group::open(address, Best::find(), socket.as_fd(), self.config.settings.stop.idle_grace);
        log::info!("{}: {}", named(&group), group.reason());
        self.datagrams.groups.insert(id, group);
        self.datagrams.by_key.insert(facts.key.clone(), id);
        self.input(Input::BalancerOpened { balancer: id, route: Route::Kernel });
        id
    }
}

fn bind(socket: &Foreign, wanted: Wanted) -> io::Result<()> {
    socket::bind_beside_others(socket.as_fd(), &wanted.address, wanted.meant)
}

//! How a worker's UDP socket becomes a member of a group, which the first one opens. The supervisor binds it: so it knows in which order the
//! kernel has the sockets, and who binds the same address twice is told so before anything is bound.

use super::super::Shell;
use super::super::os::Os;
use super::super::requests::errno;
use super::{Datagrams, named};
use crate::config::Ready;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::flows::group::Group;
use crate::io::flows::level::Best;
use crate::io::flows::member::Member;
use crate::io::flows::socket::{self, Facts};
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
struct Wanted {
    address: Address,
    /// The program itself has set SO_REUSEPORT: it means to bind more than one.
    meant: bool,
}

/// What came of it.
struct Bound {
    member: LaneId,
    balancer: BalancerId,
    /// The worker is to have this one, and not its own.
    instead: Option<OwnedFd>,
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
        let Bound { member, balancer, instead } = match self.bind_shared(worker, holder, socket, wanted) {
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
        let delivery = caller.deliver(&Reply::Member, instead.as_ref().map(AsFd::as_fd));
        let Some(delivery) = delivery else {
            self.retire_datagrams(member);
            return self.input(Input::Unlistened { balancer });
        };
        self.deliveries.push((member, delivery));
        self.input(Input::LaneOpened { lane: member, worker, balancer });
        // Nothing but its program could answer a datagram.
        if !matches!(self.config.settings.readiness.ready, Some(Ready::Tcp | Ready::Http(_))) {
            self.may_be_ready(worker);
        }
    }

    /// Of a program with a seccomp filter the address stands in its memory alone until it is bound: its UDP sockets stay its own.
    pub(in crate::event_loop) fn tell_unshared_datagrams(&mut self, worker: WorkerId, socket: &Foreign) {
        let listeners = &self.config.settings.listeners;
        if !listeners.share.iter().any(|rule| rules::of_udp(rule).is_some())
            || !socket::is_udp(socket.as_fd())
        {
            return;
        }
        if let Some(hushed) = self.complaints.ask(self.now) {
            let id = self.logical_id(worker);
            log::warn!(
                "worker {id} binds a UDP socket by itself: --share udp: has no effect on programs with a seccomp filter{hushed}"
            );
        }
    }

    /// Binds the socket, or has another in its place. `None` where it is left to the process and the kernel.
    fn bind_shared(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: Foreign,
        wanted: Wanted,
    ) -> io::Result<Option<Bound>> {
        let Wanted { address, meant } = wanted;
        let is_ours = rules::shares_datagrams(&self.config.settings.listeners.rules(), &address)
            && std::env::var_os(env::SOCKET).is_none()
            && !socket::is_for_broadcast(socket.as_fd())
            && address.port().is_some_and(|port| socket::may_bind(holder.pid, port));
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
        let member = LaneId(self.next_lane);
        self.next_lane += 1;
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
        let id = LaneId(self.next_lane);
        self.next_lane += 1;
        member.pass_to(worker, holder);
        group.rename(left, id);
        log::debug!("{}: what waits for a worker that is gone is another's now", named(group));
        members.insert(id, member);
        Ok(Some(Bound { member: id, balancer, instead }))
    }

    /// A group at an address where there is none, of which this socket, which is bound, will be the first member.
    fn open_flows(&mut self, socket: &Foreign, facts: &Facts, address: Address) -> BalancerId {
        let id = BalancerId(self.next_balancer);
        self.next_balancer += 1;
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

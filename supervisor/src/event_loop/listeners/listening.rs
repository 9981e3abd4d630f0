//! A worker listens: it gets a lane to the balancer of the address, which the first one opens. The rules are the kernel's; whether a worker is
//! to be served is the core's.

use super::super::Shell;
use super::super::os::Os;
use super::super::requests::errno;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::sockopt::cookie;
use crate::io::lanes::lane::Holder;
use crate::io::lanes::thunk_socket::Answerer;
use crate::io::sockets::listener::{Facts, Key};
use crate::pool::Input;
use clustermon_protocol::message::{Place, Reply};
use std::io;
use std::os::fd::AsFd;

impl<O: Os> Shell<O> {
    pub(in crate::event_loop) fn listen(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: Foreign,
        backlog: i32,
        place: &Place<'_>,
        caller: Answerer,
    ) {
        if self.may_join(&socket) {
            return self.listen_as_member(worker, holder, socket, backlog, place, caller);
        }
        let (id, balancer) = match self.place(worker, holder, socket, backlog, place) {
            Ok(placed) => placed,
            Err(error) => {
                caller.reply(&Reply::Errno(errno(&error)), None);
                return;
            }
        };
        self.join(worker, holder.pid);
        let Some(lane) = self.lanes.all.get(&id) else { return };
        let told = caller.deliver(&Reply::Lane { lane: id.0 }, Some(lane.worker_end()));
        let Some(delivery) = told else {
            self.abandon(id);
            return self.input(Input::Unlistened { balancer });
        };
        self.lanes.deliveries.push((id, delivery));
        self.input(Input::LaneOpened { lane: id, worker, balancer });
        self.may_be_ready(worker);
    }

    /// A lane to the balancer of the socket's address, which is opened on this very socket if it is the first. The lane
    /// comes first: a balancer that nobody serves would keep its clients waiting for ever.
    fn place(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: Foreign,
        backlog: i32,
        place: &Place<'_>,
    ) -> io::Result<(LaneId, BalancerId)> {
        let cookie = cookie(socket.as_fd())?;
        let process = self.lives.process_mut(worker);
        let owned = process.and_then(|process| process.owned.remove(&cookie));
        let facts = self.os.facts(&socket, owned, place.path)?;
        let facts = facts.seen_by(&self.launching.view(), place.path)?;
        let facts = if owned.is_some() { self.facts_of_activated(facts) } else { facts };
        match self.listeners.by_key.get(&facts.key).copied() {
            Some(balancer)
                if self.listeners.all.get(&balancer).is_some_and(|listener| listener.by_kernel) =>
            {
                // No process that has the filter needs the library.
                let what = format!("asks by the library for {}, which the kernel serves", facts.address);
                self.accuse_worker(worker, holder.pid, what);
                Err(io::Error::from_raw_os_error(libc::EADDRINUSE))
            }
            Some(balancer) => {
                if self.listens_already(worker, holder, balancer, &facts) {
                    let what = format!("listens on {} twice", facts.address);
                    self.accuse_worker(worker, holder.pid, what);
                    return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
                }
                let lane = self.open_lane(worker, holder, balancer, &facts.address)?;
                if owned.is_none() {
                    self.move_to_newer(balancer, socket, &facts).inspect_err(|_| self.abandon(lane))?;
                }
                Ok((lane, balancer))
            }
            None if facts.given => {
                let balancer = self.listeners.name_another();
                let lane = self.open_lane(worker, holder, balancer, &facts.address)?;
                let opened = self.open_activated(worker, balancer, facts, backlog);
                opened.inspect_err(|_| self.abandon(lane))?;
                Ok((lane, balancer))
            }
            // The cluster has let go of it since the bind in name: there is no bound socket to listen on.
            None if owned.is_some() => Err(io::Error::from_raw_os_error(libc::EADDRINUSE)),
            None => {
                let balancer = self.listeners.name_another();
                let lane = self.open_lane(worker, holder, balancer, &facts.address)?;
                let opened = self.open_balancer(worker, balancer, socket, facts, backlog, false);
                opened.inspect_err(|_| self.abandon(lane))?;
                Ok((lane, balancer))
            }
        }
    }

    /// A process that listens again on what it holds made a mistake, unless it set SO_REUSEPORT itself.
    pub(in crate::event_loop) fn listens_already(
        &self,
        worker: WorkerId,
        holder: Holder,
        balancer: BalancerId,
        facts: &Facts,
    ) -> bool {
        !self.may_listen_twice(worker, facts)
            && self.lanes.all.values().any(|lane| {
                lane.balancer == balancer
                    && lane.worker == worker
                    && lane.holder.pid == holder.pid
                    && self.os.is_at(lane.seen_at, lane.inode)
            })
    }

    /// Where each socket has a share of the connections: the program has set SO_REUSEPORT itself, or it is no TCP socket.
    pub(in crate::event_loop) fn may_listen_twice(&self, worker: WorkerId, facts: &Facts) -> bool {
        let process = self.lives.process(worker);
        !matches!(facts.key, Key::Inet { .. })
            || process.is_some_and(|process| process.reuse_port.contains(&facts.cookie))
    }
}

//! How listening sockets of workers become load balancers with lanes, and how these are opened anew and closed. The rules are the
//! kernel's; whether a worker is to be served is the core's.

use super::super::Shell;
use super::super::os::Os;
use super::super::requests::errno;
use crate::config::Dispatch;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::events::source::Source;
use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::sockopt::cookie;
use crate::io::lanes::lane::Holder;
use crate::io::lanes::thunk_socket::Answerer;
use crate::io::sockets::listener::{self, Facts, Key, Listener};
use crate::io::sockets::reach::Reach;
use crate::pool::{Input, Route};
use clustermon_protocol::address::Address;
use clustermon_protocol::env;
use clustermon_protocol::message::{Place, Reply};
use mio::Interest;
use mio::unix::SourceFd;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

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
        let Some(lane) = self.lanes.get(&id) else { return };
        let told = caller.deliver(&Reply::Lane { lane: id.0 }, Some(lane.worker_end()));
        let Some(delivery) = told else {
            self.abandon(id);
            return self.input(Input::Unlistened { balancer });
        };
        self.deliveries.push((id, delivery));
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
        match self.by_key.get(&facts.key).copied() {
            Some(balancer) if self.listeners.get(&balancer).is_some_and(|listener| listener.by_kernel) => {
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
            // The cluster has let go of it since the bind in name: there is no bound socket to listen on.
            None if owned.is_some() => Err(io::Error::from_raw_os_error(libc::EADDRINUSE)),
            None => {
                let balancer = BalancerId(self.next_balancer);
                self.next_balancer += 1;
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
            && self.lanes.values().any(|lane| {
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

    /// How far the socket's clients reach, if bind() failed, alone, where another socket had some of them, though the library has set
    /// SO_REUSEPORT. `None` if the program has set it itself: then only sockets of exactly the address count.
    fn reach(&self, worker: WorkerId, socket: &Foreign, facts: &Facts) -> Option<Reach> {
        let meant =
            self.lives.process(worker).is_some_and(|process| process.reuse_port.contains(&facts.cookie));
        Reach::of(socket.as_fd(), facts).filter(|_| !meant)
    }

    /// `by_kernel`: workers accept from it as they like.
    pub(in crate::event_loop) fn open_balancer(
        &mut self,
        worker: WorkerId,
        id: BalancerId,
        socket: Foreign,
        facts: Facts,
        backlog: i32,
        by_kernel: bool,
    ) -> io::Result<()> {
        let address = facts.address;
        let reach = self.reach(worker, &socket, &facts);
        // A supervisor that is a worker of another's cluster cannot tell that one's sockets from a stranger's before it
        // has listened, which that one may take over.
        let nested = std::env::var_os(env::SOCKET).is_some();
        if !nested {
            // One that the kernel serves may listen already.
            let own = if by_kernel { facts.inode } else { 0 };
            self.refuse_strangers(worker, &address, own, reach)?;
        }
        let file = match &facts.key {
            // Without its file, clients find another socket at the path, whose turn comes when that listens.
            Key::Path(path) => listener::file_of_socket(path, facts.inode),
            Key::Inet { .. } | Key::Abstract(_) => None,
        };
        let backlog = backlog.max(i32::try_from(self.config.settings.listeners.backlog).unwrap_or(i32::MAX));
        let key = facts.key.clone();
        let mut listener = self.os.listen(id, socket, facts, file, backlog, by_kernel)?;
        listener.handoff_because = (!by_kernel).then(|| self.handoff_because(&listener)).flatten();
        if nested && !listener.is_taken_over()? {
            self.refuse_strangers(worker, &address, listener.inode, reach)?;
        }
        let fd = listener.as_fd().as_raw_fd();
        self.poll.registry().register(
            &mut SourceFd(&fd),
            Source::Listener(id).into(),
            interest(by_kernel),
        )?;
        let by_credit = listener.by_credit();
        if self.config.settings.balancing.dispatch == Dispatch::Credit
            && let Some(why) = listener.handoff_because
        {
            log::warn!("{}: connections are handed over, not given by credit: {why}", listener.address);
        }
        let is_first = !self.listeners.values().any(Listener::by_credit);
        if by_credit && is_first && self.config.settings.balancing.window.is_some() {
            log::info!("--window has no effect where workers accept by credit");
        }
        self.by_key.insert(key, id);
        self.listeners.insert(id, listener);
        let route = match by_kernel {
            true => Route::Kernel,
            false if by_credit => Route::Credit,
            false => Route::Handoff,
        };
        self.input(Input::BalancerOpened { balancer: id, route });
        self.make_ready(id);
        Ok(())
    }

    /// An error where somebody else listens at the address of a socket that is to open a group.
    pub(in crate::event_loop) fn refuse_taken(
        &mut self,
        worker: WorkerId,
        socket: &Foreign,
        facts: &Facts,
    ) -> io::Result<()> {
        let reach = self.reach(worker, socket, facts);
        self.refuse_strangers(worker, &facts.address, 0, reach)
    }

    /// An error where a socket that is not the cluster's, nor this one, would get some of the clients.
    fn refuse_strangers(
        &mut self,
        worker: WorkerId,
        address: &Address,
        own: u64,
        reach: Option<Reach>,
    ) -> io::Result<()> {
        let ours = |inode: &u64| {
            *inode == own
                || self.listeners.values().any(|listener| listener.inode == *inode)
                || self.steering.has_socket(*inode)
        };
        let mut strangers = self.os.listeners_beside(reach, address)?;
        strangers.retain(|inode| !ours(inode));
        if strangers.is_empty() {
            return Ok(());
        }
        self.tell_taken(worker, address, Some(&strangers));
        Err(io::Error::from_raw_os_error(libc::EADDRINUSE))
    }

    /// Why the supervisor has to accept from this socket itself, if it has to.
    fn handoff_because(&self, listener: &Listener) -> Option<&'static str> {
        if let Some(chosen) = self.config.settings.balancing.handoff_because() {
            Some(chosen)
        } else if !matches!(listener.key, Key::Inet { .. }) {
            Some("a unix socket")
        } else if listener.is_taken_over().unwrap_or(true) {
            Some("the socket is that of an outer cluster")
        } else if self.os.queue_length(listener).is_none() {
            Some("the kernel does not tell the length of its queue")
        } else {
            None
        }
    }

    /// The newest bind of a path wins: clients find its file. What waits in the old queue is taken along.
    fn move_to_newer(&mut self, balancer: BalancerId, socket: Foreign, facts: &Facts) -> io::Result<()> {
        let Key::Path(path) = &facts.key else { return Ok(()) };
        let file = listener::file_of_socket(path, facts.inode);
        let Some(listener) = self.listeners.get_mut(&balancer) else { return Ok(()) };
        if file.is_none() || file == listener.file || !facts.listening {
            return Ok(());
        }
        let registry = self.poll.registry();
        let fd = socket.as_raw_fd();
        registry.register(&mut SourceFd(&fd), Source::Listener(balancer).into(), Interest::READABLE)?;
        let old = listener.as_fd().as_raw_fd();
        listener.replace(socket, facts.inode, file)?;
        let _ = registry.deregister(&mut SourceFd(&old));
        log::info!("{} was bound anew: serving the newer socket", facts.address);
        self.make_ready(balancer);
        Ok(())
    }

    /// Listens anew on the address of a socket that failed.
    pub(in crate::event_loop) fn reopen(&mut self, balancer: BalancerId) {
        let Some(listener) = self.listeners.get_mut(&balancer) else { return };
        let registry = self.poll.registry();
        let _ = registry.deregister(&mut SourceFd(&listener.as_fd().as_raw_fd()));
        let opened = listener.reopen().and_then(|anew| {
            let source = Source::Listener(balancer).into();
            let wanted = interest(listener.by_kernel);
            registry.register(&mut SourceFd(&listener.as_fd().as_raw_fd()), source, wanted)?;
            Ok(anew)
        });
        let input = match opened {
            Ok(anew) => Input::BalancerReopened { balancer, anew },
            Err(error) => Input::BalancerFailed { balancer, error: error.to_string() },
        };
        self.pool.handle(self.now, input);
    }

    pub(in crate::event_loop) fn close_balancer(&mut self, balancer: BalancerId) {
        if self.datagrams.has(balancer) {
            return self.close_datagrams(balancer);
        }
        let Some(listener) = self.listeners.remove(&balancer) else { return };
        if self.pool.balancer(balancer).is_some() {
            // Its workers go on with what they have of it.
            self.closed.push((balancer, listener.address));
        }
        self.by_key.remove(&listener.key);
        self.ready.retain(|ready| *ready != balancer);
        if self.steering.has(balancer) {
            // Its sockets are the workers', and were never watched here.
            return self.close_group(balancer);
        }
        let _ = self.poll.registry().deregister(&mut SourceFd(&listener.as_fd().as_raw_fd()));
        // Of those to which the kernel brings connections each closes it when it is told to stop: shut down, it would look broken.
        if !listener.by_kernel || !self.lanes.values().any(|lane| lane.balancer == balancer) {
            listener.stop_listening();
        }
        listener.remove_file();
    }
}

/// What the poll is to tell of a socket: that somebody connects, or only that it was shut down.
fn interest(by_kernel: bool) -> Interest {
    if by_kernel { Interest::PRIORITY } else { Interest::READABLE }
}

//! Answers what thunks ask: who listens where, whether an address is the cluster's, options of the real listener. The
//! rules are the kernel's and the wire's; whether a worker is to be served is the core's.

use super::Shell;
use super::orders::source_of;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::child;
use crate::io::diag;
use crate::io::intercept::{Answerer, Asked};
use crate::io::lane::{Holder, Lane, bind_raw, get_option, set_option};
use crate::io::listener::{self, Facts, Key, Listener};
use crate::io::pulse::Pulse;
use crate::io::source::Source;
use crate::pool::Input;
use clustermon_protocol::address::{Address, INET6};
use clustermon_protocol::env;
use clustermon_protocol::message::{MAX_VALUE, Place, Reply, Request};
use clustermon_protocol::record::Upward;
use mio::Interest;
use mio::unix::SourceFd;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Most sockets of one worker that are remembered for a bind in name only.
const MAX_REMEMBERED: usize = 4096;

/// Most processes of one worker that have a pulse page.
const MAX_PULSES: usize = 256;

/// An error as the worker is to see it.
fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

impl Shell {
    pub(super) fn answer(&mut self, asked: Asked) {
        let Asked { frame, len, socket, pid, uid, caller } = asked;
        let Some((hello, request)) = Request::decode(&frame[..len]) else {
            log::warn!("process {pid} (uid {uid}) sent something that is no request");
            return;
        };
        let Some(&worker) = self.tokens.get(&hello.token) else {
            log::warn!("process {pid} (uid {uid}) asked with a token of no living worker: refused");
            caller.reply(&Reply::Errno(libc::EADDRINUSE), None);
            return;
        };
        let reply = match request {
            Request::Listen { fd, backlog, place } => {
                match socket {
                    Some(socket) => {
                        self.listen(worker, Holder { pid, fd }, socket, backlog, &place, caller);
                    }
                    None => {
                        caller.reply(&Reply::Errno(libc::EBADF), None);
                    }
                }
                return;
            }
            Request::BindAny { address } => {
                let done = socket.ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF));
                let done = done.and_then(|socket| self.bind_any(worker, &address, &socket));
                Reply::Errno(done.map_or_else(|error| errno(&error), |()| 0))
            }
            Request::Owns { cookie, address, place } => self.owns(worker, cookie, &address, &place),
            Request::OwnedName { cookie } => {
                let process = self.processes.get(&worker);
                match process.and_then(|process| process.owned.get(&cookie)) {
                    Some(address) => Reply::Name(*address),
                    None => Reply::NotOwned,
                }
            }
            Request::ReusePort { cookie } => {
                if let Some(process) = self.processes.get_mut(&worker)
                    && process.reuse_port.len() < MAX_REMEMBERED
                {
                    process.reuse_port.insert(cookie);
                }
                Reply::Errno(0)
            }
            Request::SetOption { lane, level, name, value } => {
                let done = match self.listener_of(worker, lane) {
                    Some(listener) => set_option(listener.as_fd(), level, name, value),
                    None => Err(io::Error::from_raw_os_error(libc::EBADF)),
                };
                Reply::Errno(done.map_or_else(|error| errno(&error), |()| 0))
            }
            Request::GetOption { lane, level, name, size } => {
                let mut value = [0; MAX_VALUE];
                let room = MAX_VALUE.min(size as usize);
                let read = match self.listener_of(worker, lane) {
                    Some(listener) => get_option(listener.as_fd(), level, name, &mut value[..room]),
                    None => Err(io::Error::from_raw_os_error(libc::EBADF)),
                };
                match read {
                    Ok(count) => {
                        caller.reply(&Reply::Value(&value[..count]), None);
                        return;
                    }
                    Err(error) => Reply::Errno(errno(&error)),
                }
            }
            Request::Unlink { device, inode } => {
                let served = self.listeners.values().any(|listener| listener.file == Some((device, inode)));
                if served { Reply::Owned } else { Reply::NotOwned }
            }
            Request::Attach => match self.attach(worker, pid) {
                Ok(pulse) => {
                    caller.reply(&Reply::Page, Some(pulse.as_fd()));
                    return;
                }
                Err(error) => Reply::Errno(errno(&error)),
            },
            Request::Page => {
                caller.reply(&Reply::Page, Some(self.releases.as_fd()));
                return;
            }
        };
        caller.reply(&reply, None);
    }

    /// A pulse page for one more process of the worker.
    fn attach(&mut self, worker: WorkerId, pid: u32) -> io::Result<&Pulse> {
        let full = || io::Error::from_raw_os_error(libc::ENOBUFS);
        let process = self.processes.get_mut(&worker).ok_or_else(full)?;
        process.pulses.retain(|pulse| pulse.pid != pid && child::is_there(pulse.pid));
        if process.pulses.len() >= MAX_PULSES {
            return Err(full());
        }
        process.pulses.push(Pulse::new(pid)?);
        process.pulses.last().ok_or_else(full)
    }

    fn listener_of(&self, worker: WorkerId, lane: u64) -> Option<&Listener> {
        let lane = self.lanes.get(&LaneId(lane)).filter(|lane| lane.worker == worker)?;
        self.listeners.get(&lane.balancer)
    }

    fn listen(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: OwnedFd,
        backlog: i32,
        place: &Place<'_>,
        caller: Answerer,
    ) {
        let joined = self.balancer_for(worker, holder, socket, backlog, place).and_then(|balancer| {
            let id = self.open_lane(worker, holder, balancer)?;
            Ok((id, balancer))
        });
        let (id, balancer) = match joined {
            Ok(joined) => joined,
            Err(error) => {
                caller.reply(&Reply::Errno(errno(&error)), None);
                return;
            }
        };
        self.join(worker, holder.pid);
        let Some(lane) = self.lanes.get(&id) else { return };
        let told = caller.reply(&Reply::Lane { lane: id.0 }, Some(lane.worker_end()));
        self.input(Input::LaneOpened { lane: id, worker, balancer });
        self.may_be_ready(worker);
        if !told {
            self.input(Input::LaneClosed { lane: id });
        }
    }

    /// The balancer of the socket's address; opened on this very socket if it is the first.
    fn balancer_for(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: OwnedFd,
        backlog: i32,
        place: &Place<'_>,
    ) -> io::Result<BalancerId> {
        let mut cookie = [0; 8];
        get_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_COOKIE, &mut cookie)?;
        let cookie = u64::from_ne_bytes(cookie);
        let process = self.processes.get_mut(&worker);
        let owned = process.and_then(|process| process.owned.remove(&cookie));
        let facts = Facts::of(socket.as_fd(), owned, place.path)?;
        match self.by_key.get(&facts.key).copied() {
            Some(balancer) => {
                if self.listens_already(worker, holder, balancer, &facts) {
                    log::warn!("worker {} listens on {} twice", self.logical_id(worker), facts.address);
                    return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
                }
                if owned.is_none() {
                    self.move_to_newer(balancer, socket, &facts)?;
                }
                Ok(balancer)
            }
            // The cluster has let go of it since the bind in name: there is no bound socket to listen on.
            None if owned.is_some() => Err(io::Error::from_raw_os_error(libc::EADDRINUSE)),
            None => self.open_balancer(worker, socket, facts, backlog),
        }
    }

    /// A process that listens again on what it holds made a mistake, unless it set SO_REUSEPORT itself.
    fn listens_already(&self, worker: WorkerId, holder: Holder, balancer: BalancerId, facts: &Facts) -> bool {
        let meant =
            self.processes.get(&worker).is_some_and(|process| process.reuse_port.contains(&facts.cookie));
        !meant
            && matches!(facts.key, Key::Inet { .. })
            && self.lanes.values().any(|lane| {
                lane.balancer == balancer
                    && lane.worker == worker
                    && lane.holder.pid == holder.pid
                    && lane.is_where_it_was()
            })
    }

    fn open_balancer(
        &mut self,
        worker: WorkerId,
        socket: OwnedFd,
        facts: Facts,
        backlog: i32,
    ) -> io::Result<BalancerId> {
        let address = facts.address;
        let taken = |shell: &Self, own: u64| -> io::Result<()> {
            let ours = |inode: &u64| {
                *inode == own || shell.listeners.values().any(|listener| listener.inode == *inode)
            };
            if diag::listening_on(&address)?.iter().all(ours) {
                return Ok(());
            }
            shell.tell_taken(worker, &address);
            Err(io::Error::from_raw_os_error(libc::EADDRINUSE))
        };
        // A supervisor that is a worker of another's cluster cannot tell that one's sockets from a stranger's before it
        // has listened, which that one may take over.
        let nested = std::env::var_os(env::SOCKET).is_some();
        if !nested {
            taken(self, 0)?;
        }
        let file = match &facts.key {
            Key::Path(path) => listener::file_of(path),
            Key::Inet { .. } | Key::Abstract(_) => None,
        };
        let id = BalancerId(self.next_balancer);
        self.next_balancer += 1;
        let backlog = backlog.max(i32::try_from(self.config.backlog).unwrap_or(i32::MAX));
        let key = facts.key.clone();
        let listener = Listener::open(id, socket, facts, file, backlog)?;
        if nested && !listener.is_taken_over()? {
            taken(self, listener.inode)?;
        }
        let fd = listener.as_fd().as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&fd), Source::Listener(id).into(), Interest::READABLE)?;
        self.by_key.insert(key, id);
        self.listeners.insert(id, listener);
        self.input(Input::BalancerOpened { balancer: id });
        self.make_ready(id);
        Ok(id)
    }

    /// The newest bind of a path wins: clients find its file. What waits in the old queue is taken along.
    fn move_to_newer(&mut self, balancer: BalancerId, socket: OwnedFd, facts: &Facts) -> io::Result<()> {
        let Key::Path(path) = &facts.key else { return Ok(()) };
        let file = listener::file_of(path);
        let Some(listener) = self.listeners.get_mut(&balancer) else { return Ok(()) };
        if file.is_none() || file == listener.file || !facts.listening {
            return Ok(());
        }
        let nonblock = listener.nonblock;
        let old = listener.replace(socket, facts.inode, file)?;
        let registry = self.poll.registry();
        let fd = listener.as_fd().as_raw_fd();
        let _ = registry.deregister(&mut SourceFd(&old.as_raw_fd()));
        registry.register(&mut SourceFd(&fd), Source::Listener(balancer).into(), Interest::READABLE)?;
        log::info!("{} was bound anew: serving the newer socket", facts.address);
        while let Ok(connection) = listener::accept_from(old.as_fd(), nonblock, balancer) {
            let source = source_of(&connection.peer);
            let conn = self.conns.insert(connection);
            self.input(Input::Returned { conn, balancer, source });
        }
        self.make_ready(balancer);
        Ok(())
    }

    fn open_lane(&mut self, worker: WorkerId, holder: Holder, balancer: BalancerId) -> io::Result<LaneId> {
        let gone = || io::Error::from_raw_os_error(libc::EADDRINUSE);
        let address = self.listeners.get(&balancer).ok_or_else(gone)?.address;
        let id = LaneId(self.next_lane);
        self.next_lane += 1;
        let place = (worker, balancer, holder);
        let ticket = self.releases.open()?;
        let lane = Lane::new(id, self.nonce, &address, place, ticket, self.config.window, self.record_cost)
            .inspect_err(|_| self.releases.close(ticket))?;
        let fd = lane.as_fd().as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&fd), Source::Lane(id).into(), Interest::READABLE)?;
        self.lanes.insert(id, lane);
        Ok(id)
    }

    /// Binds to the port that the cluster has for the i-th socket of this kind, which the first one gets from the kernel.
    fn bind_any(&mut self, worker: WorkerId, address: &Address, socket: &OwnedFd) -> io::Result<()> {
        let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
        if address.port() != Some(0) {
            return Err(invalid());
        }
        let v6_only = address.family() == INET6
            && listener::int_option(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)? != 0;
        let process = self.processes.get_mut(&worker).ok_or_else(invalid)?;
        let count = process.bound_any.entry((*address, v6_only)).or_insert(0);
        let key = (*address, v6_only, *count);
        set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT, &1i32.to_ne_bytes())?;
        // Its effect is over: the port is wanted now.
        set_option(socket.as_fd(), libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, &0i32.to_ne_bytes())?;
        let known = self.any_ports.get(&key).copied();
        let bound = match known {
            Some(port) => bind_raw(socket.as_fd(), address.with_port(port).as_bytes()),
            None => Err(io::ErrorKind::AddrInUse.into()),
        };
        let served =
            |port| self.listeners.values().any(|listener| listener.address == address.with_port(port));
        match bound {
            Ok(()) => {}
            // Nobody of the cluster listens there, and a stranger took it: another will do.
            Err(_) if !known.is_some_and(served) => bind_raw(socket.as_fd(), address.as_bytes())?,
            Err(error) => return Err(error),
        }
        *count += 1;
        let port = listener::own_address(socket.as_fd())?.port().ok_or_else(invalid)?;
        self.any_ports.insert(key, port);
        Ok(())
    }

    fn owns(
        &mut self,
        worker: WorkerId,
        cookie: u64,
        address: &Address,
        place: &Place<'_>,
    ) -> Reply<'static> {
        let file = (place.device, place.inode);
        let served = self.listeners.values().find(|listener| match address.path() {
            Some(_) => listener.file == Some(file),
            None => listener.address == *address,
        });
        let Some(address) = served.map(|listener| listener.address) else {
            self.tell_taken(worker, address);
            return Reply::NotOwned;
        };
        match self.processes.get_mut(&worker) {
            Some(process) if process.owned.len() < MAX_REMEMBERED => {
                process.owned.insert(cookie, address);
                Reply::Owned
            }
            _ => Reply::NotOwned,
        }
    }

    fn tell_taken(&self, worker: WorkerId, address: &Address) {
        let id = self.logical_id(worker);
        if address.path().is_some() {
            log::error!("worker {id} cannot listen on {address}: the file exists and is not the cluster's");
        } else {
            log::error!(
                "worker {id} cannot listen on {address}: it is held by a process outside the cluster"
            );
        }
    }

    pub(super) fn on_upward(&mut self, id: LaneId) {
        while let Some((upward, balancer)) =
            self.lanes.get(&id).and_then(|lane| Some((lane.next_upward()?, lane.balancer)))
        {
            match upward {
                Upward::Nonblock(on) => {
                    if let Some(listener) = self.listeners.get_mut(&balancer) {
                        listener.nonblock = on;
                    }
                }
                Upward::Shut => self.input(Input::LaneClosed { lane: id }),
                Upward::Lost => log::error!("a worker lost a connection: its table of descriptors was full"),
            }
        }
    }
}

//! Answers what thunks ask: who listens where, whether an address is the cluster's, options of the real listener. The
//! rules are the kernel's and the wire's; whether a worker is to be served is the core's.

use super::super::Shell;
use super::super::os::Os;
use super::errno;
use crate::ids::{LaneId, WorkerId};
use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::sockopt::{bind_raw, get_option, int_option, own_address, set_option};
use crate::io::lanes::lane::Holder;
use crate::io::lanes::pulse::Pulse;
use crate::io::lanes::thunk_socket::{Answerer, Asked};
use crate::io::sockets::listener::Listener;
use crate::io::sockets::options;
use crate::pool::Input;
use clustermon_protocol::address::{Address, INET6};
use clustermon_protocol::message::{MAX_VALUE, Place, Reply, Request};
use std::io;
use std::os::fd::AsFd;

/// Most sockets of one worker that are remembered for a bind in name only.
const MAX_REMEMBERED: usize = 4096;

/// Most processes of one worker that have a pulse page.
const MAX_PULSES: usize = 256;
/// So many it may have, however few descriptors there are.
const LEAST_PULSES: usize = 32;

impl<O: Os> Shell<O> {
    pub(in crate::event_loop) fn answer(&mut self, asked: Asked) {
        let (pid, uid) = self.os.asker(&asked);
        let Asked { frame, len, caller, .. } = asked;
        let Some((hello, request)) = Request::decode(&frame[..len]) else {
            self.accuse(pid, uid, "sent something that is no request");
            return;
        };
        let Some(worker) = self.lives.by_token(&hello.token) else {
            self.accuse(pid, uid, "asked with a token of no living worker: refused");
            self.refuse(pid, uid, caller);
            return;
        };
        if !self.speaks_for(worker, pid, uid) {
            let what = format!("asked with the token of worker {}: refused", self.logical_id(worker));
            self.accuse(pid, uid, what);
            self.refuse(pid, uid, caller);
            return;
        }
        let (socket, truncated) = caller.take_descriptor();
        if truncated {
            self.accuse(pid, uid, "sent more descriptors than one, or one that could not be taken");
        }
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
            Request::BindDatagrams { fd, address, meant } => {
                match socket {
                    Some(socket) => {
                        self.bind_datagrams(worker, Holder { pid, fd }, socket, (address, meant), caller);
                    }
                    None => {
                        caller.reply(&Reply::Errno(libc::EBADF), None);
                    }
                }
                return;
            }
            Request::LeaveDatagrams { cookie } => {
                self.leave_datagrams(worker, cookie);
                Reply::Errno(0)
            }
            Request::BindAny { address } => {
                let done = socket.ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF));
                match done.and_then(|socket| self.bind_any(worker, pid, &address, &socket)) {
                    Ok(true) => Reply::Errno(0),
                    Ok(false) => Reply::NotOwned,
                    Err(error) => Reply::Errno(errno(&error)),
                }
            }
            Request::Owns { cookie, address, place } => self.owns(worker, cookie, &address, &place),
            Request::OwnedName { cookie } => {
                let process = self.lives.process(worker);
                match process.and_then(|process| process.owned.get(&cookie)) {
                    Some(address) => Reply::Name(*address),
                    None => Reply::NotOwned,
                }
            }
            Request::ReusePort { cookie } => {
                if let Some(process) = self.lives.process_mut(worker)
                    && process.reuse_port.len() < MAX_REMEMBERED
                {
                    process.reuse_port.insert(cookie);
                }
                Reply::Errno(0)
            }
            Request::SetOption { lane, level, name, value } => {
                let done = match self.listener_of(worker, lane) {
                    Some(_) if !options::may_set(level, name, uid) => {
                        Err(io::Error::from_raw_os_error(libc::EPERM))
                    }
                    Some(listener) => set_option(listener.as_fd(), level, name, value),
                    None => Err(io::Error::from_raw_os_error(libc::EBADF)),
                };
                Reply::Errno(done.map_or_else(|error| errno(&error), |()| 0))
            }
            Request::GetOption { lane, level, name, size } => {
                let mut value = [0; MAX_VALUE];
                let room = MAX_VALUE.min(size as usize);
                let read = match self.listener_of(worker, lane) {
                    Some(_) if !options::may_get(level, name) => {
                        Err(io::Error::from_raw_os_error(libc::ENOPROTOOPT))
                    }
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
            Request::Adopt { lane, fd, unsure } => {
                self.adopt(worker, LaneId(lane), Holder { pid, fd }, unsure, caller);
                return;
            }
            Request::Connects { address, place } => self.on_connect(worker, pid, &address, &place),
            Request::Listener { lane } => match self.credit_listener(worker, LaneId(lane)) {
                // It has been shut down, or others come first: the process asks again when it may accept.
                Some(listener)
                    if !self.pool.may_have_socket(LaneId(lane))
                        || self.os.queue_length(listener).is_none() =>
                {
                    Reply::Errno(libc::EAGAIN)
                }
                Some(listener) => {
                    caller.reply(&Reply::Listener, Some(listener.as_fd()));
                    self.input(Input::SocketGiven { lane: LaneId(lane) });
                    return;
                }
                None => Reply::NotOwned,
            },
            Request::LanePage { lane } => match self.lane_page(worker, LaneId(lane)) {
                Some(credits) => {
                    caller.reply(&Reply::Page, Some(credits.as_fd()));
                    return;
                }
                None => Reply::NotOwned,
            },
            Request::Page => {
                caller.reply(&Reply::Page, Some(self.releases.as_fd()));
                return;
            }
        };
        caller.reply(&reply, None);
    }

    /// Says no. A stranger gets no word: an answer would be lost on who has sent descriptors, which are not taken from it.
    fn refuse(&self, pid: u32, uid: u32, caller: Answerer) {
        if self.is_ours(pid, uid) {
            let _ = caller.take_descriptor();
            caller.reply(&Reply::Errno(libc::EADDRINUSE), None);
        }
    }

    /// A pulse page for one more process of the worker.
    fn attach(&mut self, worker: WorkerId, pid: u32) -> io::Result<&Pulse> {
        let full = || io::Error::from_raw_os_error(libc::ENOBUFS);
        if self.os.are_descriptors_scarce(self.releases.as_fd()) {
            return Err(full());
        }
        let most = (self.share_of_one() / 3).clamp(LEAST_PULSES, MAX_PULSES);
        let is_steered = self.steering.of(worker).next().is_some();
        let process = self.lives.process_mut(worker).ok_or_else(full)?;
        process.pulses.retain(|pulse| pulse.pid != pid && self.os.is_there(pulse.pid));
        if process.pulses.len() >= most {
            return Err(full());
        }
        // One that the kernel can look at is the same to the process.
        let for_kernel = if is_steered { Pulse::for_kernel(pid).ok() } else { None };
        process.pulses.push(for_kernel.map_or_else(|| Pulse::new(pid), Ok)?);
        process.pulses.last().ok_or_else(full)
    }

    fn listener_of(&self, worker: WorkerId, lane: u64) -> Option<&Listener> {
        let lane = self.lanes.get(&LaneId(lane)).filter(|lane| lane.worker == worker)?;
        self.listeners.get(&lane.balancer)
    }

    /// Binds to the port that the cluster has for the i-th socket of this kind, which the first one gets from the kernel.
    /// False if the socket is to get one of its own.
    pub(in crate::event_loop) fn bind_any(
        &mut self,
        worker: WorkerId,
        pid: u32,
        address: &Address,
        socket: &Foreign,
    ) -> io::Result<bool> {
        let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
        if address.port() != Some(0) {
            return Err(invalid());
        }
        let v6_only = address.family() == INET6
            && int_option(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)? != 0;
        let process = self.lives.process_mut(worker).ok_or_else(invalid)?;
        let kind = (*address, v6_only);
        let count = process.bound_any.get(&kind).copied().unwrap_or(0);
        // Of a program that takes one address after the other.
        if count == 0 && process.bound_any.len() >= MAX_REMEMBERED {
            return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
        }
        let key = (*address, v6_only, count);
        let known = self.any_ports.get(&key).copied();
        // Others that have started before have one in this place: it is no port of somebody's session.
        let is_shared = known.is_some_and(|port| self.is_served(&address.with_port(port)));
        if !is_shared && self.is_port_its_own(worker, pid, address) {
            return Ok(false);
        }
        set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT, &1i32.to_ne_bytes())?;
        // Its effect is over: the port is wanted now.
        set_option(socket.as_fd(), libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, &0i32.to_ne_bytes())?;
        let bound = match known {
            Some(port) => bind_raw(socket.as_fd(), address.with_port(port).as_bytes()),
            None => Err(io::ErrorKind::AddrInUse.into()),
        };
        match bound {
            Ok(()) => {}
            // Nobody of the cluster listens there, and a stranger took it: another will do.
            Err(_) if !is_shared => bind_raw(socket.as_fd(), address.as_bytes())?,
            Err(error) => return Err(error),
        }
        if let Some(process) = self.lives.process_mut(worker) {
            process.bound_any.insert(kind, count + 1);
        }
        let port = own_address(socket.as_fd())?.port().ok_or_else(invalid)?;
        if self.any_ports.len() >= MAX_REMEMBERED {
            // Of a program that takes one port after the other.
            let listeners = &self.listeners;
            self.any_ports.retain(|(address, _, _), port| {
                let address = address.with_port(*port);
                listeners.values().any(|listener| listener.address == address)
            });
        }
        self.any_ports.insert(key, port);
        Ok(true)
    }

    fn is_served(&self, address: &Address) -> bool {
        self.listeners.values().any(|listener| listener.address == *address)
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
            // A thunk asks again and again while the file is young.
            if self.last_taken.replace((worker, *address)) != Some((worker, *address)) {
                self.tell_taken(worker, address, None);
            }
            return Reply::NotOwned;
        };
        match self.lives.process_mut(worker) {
            Some(process) if process.owned.len() < MAX_REMEMBERED => {
                process.owned.insert(cookie, address);
                Reply::Owned
            }
            _ => Reply::NotOwned,
        }
    }
}

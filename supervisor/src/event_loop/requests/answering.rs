//! Answers what thunks ask: who listens where, whether an address is the cluster's, options of the real listener. The
//! rules are the kernel's and the wire's; whether a worker is to be served is the core's.

use super::super::Shell;
use super::super::os::Os;
use super::errno;
use super::names::MAX_REMEMBERED;
use crate::ids::{LaneId, WorkerId};
use crate::io::kernel::sockopt::{get_option, set_option};
use crate::io::lanes::lane::Holder;
use crate::io::lanes::thunk_socket::{Answerer, Asked, ThunkSocket};
use crate::io::sockets::listener::Listener;
use crate::io::sockets::options;
use crate::pool::Input;
use clustermon_protocol::message::{MAX_VALUE, Reply, Request};
use mio::Poll;
use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

impl<O: Os> Shell<O> {
    /// Takes in what was asked, and answers it.
    pub(in crate::event_loop) fn on_requests(
        &mut self,
        take: impl FnOnce(&mut ThunkSocket, Instant, &Poll, &mut Vec<Asked>),
    ) {
        let mut asked = Vec::new();
        take(&mut self.requests.socket, self.now, &self.poll, &mut asked);
        self.accuse_silent();
        for asked in asked {
            self.answer(asked);
        }
    }

    fn answer(&mut self, asked: Asked) {
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
            Request::BindNamed { address } => match socket {
                Some(socket) => self.bind_named(worker, &address, &socket),
                None => Reply::Errno(libc::EBADF),
            },
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
                let served =
                    self.listeners.all.values().any(|listener| listener.file == Some((device, inode)));
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
                caller.reply(&Reply::Page, Some(self.connections.releases.as_fd()));
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

    fn listener_of(&self, worker: WorkerId, lane: u64) -> Option<&Listener> {
        let lane = self.lanes.all.get(&LaneId(lane)).filter(|lane| lane.worker == worker)?;
        self.listeners.all.get(&lane.balancer)
    }
}

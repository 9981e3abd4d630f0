//! Answers `bind` and `listen` of workers that have the seccomp filter. What it decides by are numbers of the kernel's and the sockets
//! themselves, of which it has copies; never the program's memory (UDP has its own way in `datagrams`). Whatever is not for the cluster
//! goes on in the kernel.

use super::super::Shell;
use super::super::os::Os;
use super::super::requests::errno;
use super::super::steering::Joined;
use super::datagrams::Bind;
use crate::ids::WorkerId;
use crate::io::events::source::Source;
use crate::io::kernel::foreign::{self, Foreign};
use crate::io::kernel::sockopt::{cookie, int_option, is_tcp, own_address, set_option, unacknowledged};
use crate::io::lanes::lane::Holder;
use crate::io::seccomp::notifier::{Call, Kind, Next, Notifier};
use crate::io::seccomp::target::Target;
use clustermon_protocol::address::Address;
use clustermon_protocol::rules;
use mio::Interest;
use mio::unix::SourceFd;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// So many calls of one worker are answered before others have their turn.
const BUDGET: u32 = 32;
/// Most sockets of one worker that are remembered because the program itself has set SO_REUSEPORT.
const MAX_REMEMBERED: usize = 4096;
/// States of a TCP socket that may listen.
const CLOSED: u8 = 7;
const LISTENS: u8 = 10;

/// What becomes of a call.
enum Answer {
    /// The kernel does it.
    Proceed,
    /// It is done.
    Done,
    /// The worker takes part, with this socket or with another in the place of its descriptor.
    Join(Joined, Holder),
    Fail(i32),
}

impl<O: Os> Shell<O> {
    /// Has the poll tell of calls of the worker.
    pub(in crate::event_loop) fn hear_calls(&self, worker: WorkerId, notifier: &Notifier) -> io::Result<()> {
        let fd = notifier.as_fd().as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&fd), Source::Calls(worker).into(), Interest::READABLE)
    }

    /// Calls of the worker wait, or nobody has the filter any more.
    pub(in crate::event_loop) fn on_calls(&mut self, worker: WorkerId) {
        // Taken out meanwhile, for what follows from a call concerns the rest of the record.
        let Some(life) = self.lives.get_mut(worker) else { return };
        let Some(notifier) = life.calls.take() else { return };
        let mut answered = 0;
        let is_over = loop {
            match notifier.next() {
                Next::Call(call) if answered < BUDGET => {
                    answered += 1;
                    self.on_call(worker, &notifier, &call);
                }
                // It has been read and has to be answered.
                Next::Call(call) => {
                    self.on_call(worker, &notifier, &call);
                    break false;
                }
                Next::Nothing => break false,
                Next::Over => break true,
            }
        };
        let fd = notifier.as_fd().as_raw_fd();
        let registry = self.poll.registry();
        if is_over {
            let _ = registry.deregister(&mut SourceFd(&fd));
        } else if answered >= BUDGET {
            // It is told of again in the next turn, when others have had theirs.
            let _ = registry.reregister(&mut SourceFd(&fd), Source::Calls(worker).into(), Interest::READABLE);
        }
        if let Some(life) = self.lives.get_mut(worker).filter(|_| !is_over) {
            life.calls = Some(notifier);
        }
    }

    fn on_call(&mut self, worker: WorkerId, notifier: &Notifier, call: &Call) {
        if foreign::is_full() {
            // So much waits to be closed that nothing more is taken: it listens by itself, and cannot where others of the cluster do.
            return notifier.proceed(call);
        }
        let fetched = Target::of(call.tid).and_then(|target| Ok((target.socket(call.fd)?, target)));
        if !notifier.is_waiting(call) {
            // Its thread's number may be another's by now.
            return;
        }
        let (socket, target) = match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                // A number that is no descriptor is for the kernel to complain of.
                if error.raw_os_error() != Some(libc::EBADF) {
                    self.tell_unseen(worker, call.tid, &error);
                }
                return notifier.proceed(call);
            }
        };
        let answer = match call.kind {
            Kind::Bind(place)
                if self.may_share_datagrams(&socket) || self.may_need_help(&socket, target.pid) =>
            {
                return self.read_address(worker, notifier, Bind { call: *call, target, socket }, place);
            }
            Kind::Bind(_) => self.on_bind(worker, &socket),
            Kind::Listen { backlog } => {
                self.on_listen(worker, Holder { pid: target.pid, fd: call.fd }, socket, backlog)
            }
        };
        match answer {
            Answer::Proceed => notifier.proceed(call),
            Answer::Done => notifier.succeed(call),
            Answer::Fail(errno) => notifier.fail(call, errno),
            Answer::Join(joined, holder) => {
                let put = joined.instead.as_ref().map_or(Ok(()), |instead| {
                    notifier.put(call, instead.as_fd(), target.closes_on_exec(call.fd))
                });
                if let Err(error) = put {
                    self.turn_away(&joined);
                    return notifier.fail(call, errno(&error));
                }
                if joined.is_new {
                    self.enter(worker, holder, joined.member, joined.balancer);
                }
                notifier.succeed(call);
            }
        }
    }

    /// The kernel does not let this process have the worker's sockets: its listeners are its own.
    fn tell_unseen(&mut self, worker: WorkerId, tid: u32, error: &io::Error) {
        if let Some(hushed) = self.requests.complaints.ask(self.now) {
            let id = self.logical_id(worker);
            log::error!(
                "worker {id}: a socket of process {tid} cannot be looked at: {error}; what it listens on is not the \
                 cluster's. Is kernel.yama.ptrace_scope above 1, or does it run as another user?{hushed}"
            );
        }
    }

    /// A unix socket is its worker's own: the path is in memory when it is bound, and the next worker finds it taken.
    fn tell_unix(&mut self, worker: WorkerId, address: &Address) {
        if !rules::shared(&self.config.settings.listeners.rules(), address, &[]) {
            return;
        }
        if let Some(hushed) = self.requests.complaints.ask(self.now) {
            let id = self.logical_id(worker);
            log::warn!(
                "worker {id} listens on {address} by itself: unix sockets of programs with a seccomp filter are not shared; give \
                 each worker a path of its own, by PROCESS_LOGICAL_ID{hushed}"
            );
        }
    }

    /// Prepares a TCP socket for an address that others of the cluster have too. Which one that will be is not known yet; where it turns
    /// out to be private `listen` takes that back.
    fn on_bind(&mut self, worker: WorkerId, socket: &Foreign) -> Answer {
        if is_tcp(socket.as_fd()) {
            self.prepare_for_sharing(worker, socket);
        }
        Answer::Proceed
    }

    pub(super) fn prepare_for_sharing(&mut self, worker: WorkerId, socket: &Foreign) {
        match int_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT) {
            Ok(0) => set(socket, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1),
            Ok(_) => self.meant_to_share(worker, socket),
            Err(_) => {}
        }
        // Port 0 is told from others then: its port is chosen when it listens.
        set(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1);
    }

    fn meant_to_share(&mut self, worker: WorkerId, socket: &Foreign) {
        if let (Ok(cookie), Some(process)) = (cookie(socket.as_fd()), self.lives.process_mut(worker))
            && process.reuse_port.len() < MAX_REMEMBERED
        {
            process.reuse_port.insert(cookie);
        }
    }

    fn on_listen(&mut self, worker: WorkerId, holder: Holder, socket: Foreign, backlog: i32) -> Answer {
        let Ok(address) = own_address(socket.as_fd()) else { return Answer::Proceed };
        if address.port().is_none() {
            self.tell_unix(worker, &address);
        }
        if !is_tcp(socket.as_fd()) || !may_listen(&socket) {
            return Answer::Proceed;
        }
        match self.listens_again(worker, holder, &socket) {
            Ok(true) => return Answer::Done,
            Ok(false) => {}
            Err(error) => return Answer::Fail(errno(&error)),
        }
        let shared = rules::shared(&self.config.settings.listeners.rules(), &address, &[]);
        if !shared {
            return self.leave_private(worker, &socket);
        }
        if address.port() == Some(0) {
            match self.bind_any(worker, holder.pid, &address, &socket) {
                Ok(true) => {}
                Ok(false) => return self.leave_private(worker, &socket),
                Err(error) => return Answer::Fail(errno(&error)),
            }
        } else if int_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT).unwrap_or(0) == 0 {
            // It was bound before the filter was there: whoever passed it on has not meant it for a cluster.
            return Answer::Proceed;
        }
        match self.take_in(worker, holder, socket, backlog) {
            Ok(joined) => Answer::Join(joined, holder),
            Err(error) => Answer::Fail(errno(&error)),
        }
    }

    /// The address is not the cluster's: everything is as the program made it, and the kernel refuses what is taken.
    fn leave_private(&self, worker: WorkerId, socket: &Foreign) -> Answer {
        let own = cookie(socket.as_fd()).ok();
        let meant = self
            .lives
            .process(worker)
            .zip(own)
            .is_some_and(|(process, own)| process.reuse_port.contains(&own));
        if !meant {
            set(socket, libc::SOL_SOCKET, libc::SO_REUSEPORT, 0);
        }
        Answer::Proceed
    }
}

fn set(socket: &Foreign, level: i32, name: i32, value: i32) {
    // A socket that does not know it goes on as it is.
    let _ = set_option(socket.as_fd(), level, name, &value.to_ne_bytes());
}

/// It is no end of a connection, nor was one.
fn may_listen(socket: &Foreign) -> bool {
    unacknowledged(socket.as_fd()).ok().flatten().is_none_or(|(state, _)| [CLOSED, LISTENS].contains(&state))
}

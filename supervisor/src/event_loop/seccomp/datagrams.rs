//! Answers `bind` of UDP sockets of workers that have the seccomp filter. Where the rules share UDP the address is read, once, and what is
//! read is bound by the supervisor itself: what the program changes afterwards changes nothing.

use super::super::Shell;
use super::super::datagrams::binding::Wanted;
use super::super::os::Os;
use super::super::requests::errno;
use crate::ids::WorkerId;
use crate::io::datagrams::socket;
use crate::io::kernel::foreign::Foreign;
use crate::io::kernel::sockopt::{cookie, int_option, is_tcp, own_address};
use crate::io::lanes::lane::Holder;
use crate::io::seccomp::address::{AddressReader, Place};
use crate::io::seccomp::notifier::{Call, Notifier};
use crate::io::seccomp::target::Target;
use clustermon_protocol::address::Address;
use clustermon_protocol::rules;
use mio::Waker;
use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

/// So many addresses of one worker are read at a time. A program that binds more at once has threads that wait in vain on purpose.
const MOST: usize = 8;

/// A call of `bind` that waits, of a UDP socket.
#[derive(Debug)]
pub(super) struct Bind {
    pub(super) call: Call,
    pub(super) target: Target,
    pub(super) socket: Foreign,
}

/// Those whose address is being read.
#[derive(Debug)]
pub(in crate::event_loop) struct Binds {
    reader: AddressReader,
    waiting: HashMap<u64, (WorkerId, Bind)>,
    next: u64,
}

impl Binds {
    pub(in crate::event_loop) fn new(waker: Arc<Waker>) -> Self {
        Self { reader: AddressReader::new(waker), waiting: HashMap::new(), next: 0 }
    }

    fn ask(&mut self, worker: WorkerId, bind: Bind, place: Place) -> Result<(), (Bind, io::Error)> {
        if self.waiting.values().filter(|(other, _)| *other == worker).count() >= MOST {
            return Err((bind, io::ErrorKind::QuotaExceeded.into()));
        }
        if let Err(error) = self.reader.ask(self.next, bind.call.tid, place) {
            return Err((bind, error));
        }
        self.waiting.insert(self.next, (worker, bind));
        self.next += 1;
        Ok(())
    }
}

impl<O: Os> Shell<O> {
    /// Some UDP address is shared, and this is a socket that could be bound there.
    pub(super) fn may_share_datagrams(&self, socket: &Foreign) -> bool {
        let rules = &self.config.settings.listeners.share;
        rules.iter().any(|rule| rules::of_udp(rule).is_some()) && socket::is_udp(socket.as_fd())
    }

    /// Has the address of the call read, which waits meanwhile.
    pub(super) fn read_address(&mut self, worker: WorkerId, notifier: &Notifier, bind: Bind, place: Place) {
        if let Err((bind, error)) = self.binds.ask(worker, bind, place) {
            self.leave_to_kernel(worker, notifier, &bind, &error);
        }
    }

    /// Addresses have been read: their calls are answered.
    pub(in crate::event_loop) fn on_addresses(&mut self) {
        while let Some((number, read)) = self.binds.reader.next() {
            let Some((worker, bind)) = self.binds.waiting.remove(&number) else { continue };
            // Taken out meanwhile, for what follows from the call concerns the rest of the record.
            let Some(notifier) = self.lives.get_mut(worker).and_then(|life| life.calls.take()) else {
                continue;
            };
            // Else its thread's number may be another's by now, and what was read is nobody's.
            if notifier.is_waiting(&bind.call) {
                match read {
                    Ok(address) => self.bind_filtered(worker, &notifier, bind, &address),
                    Err(error) => self.leave_to_kernel(worker, &notifier, &bind, &error),
                }
            }
            if let Some(life) = self.lives.get_mut(worker) {
                life.calls = Some(notifier);
            }
        }
    }

    fn bind_filtered(&mut self, worker: WorkerId, notifier: &Notifier, bind: Bind, address: &[u8]) {
        if is_tcp(bind.socket.as_fd()) {
            return match Address::from_raw(address) {
                Some(address) => self.bind_for(worker, notifier, &bind, &address),
                None => notifier.proceed(&bind.call),
            };
        }
        let Bind { call, target, socket } = bind;
        // What is no address is for the kernel to complain of; where the program has changed it by then, it binds by its own rights.
        let Some(address) = Address::from_raw(address) else { return notifier.proceed(&call) };
        if self.is_bound(worker, &socket, &address) {
            return notifier.succeed(&call);
        }
        let meant = int_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT).is_ok_and(|on| on != 0);
        let holder = Holder { pid: target.pid, fd: call.fd };
        let bound = match self.bind_shared(worker, holder, socket, Wanted { address, meant }) {
            Ok(Some(bound)) => bound,
            Ok(None) => return notifier.proceed(&call),
            Err(error) => return notifier.fail(&call, errno(&error)),
        };
        self.join(worker, holder.pid);
        let put = bound
            .instead
            .as_ref()
            .map_or(Ok(()), |instead| notifier.put(&call, instead.as_fd(), target.closes_on_exec(call.fd)));
        if let Err(error) = put {
            self.turn_away_datagrams(&bound);
            return notifier.fail(&call, errno(&error));
        }
        self.enter_datagrams(worker, &bound);
        notifier.succeed(&call);
    }

    /// The call is made again because a signal has interrupted it, where the kernel has no SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV.
    fn is_bound(&self, worker: WorkerId, socket: &Foreign, address: &Address) -> bool {
        let is_member = |cookie| {
            self.datagrams.of(worker).any(|(_, member)| member.cookie == cookie && !member.is_connected())
        };
        own_address(socket.as_fd()).is_ok_and(|own| own == *address)
            && cookie(socket.as_fd()).is_ok_and(is_member)
    }

    /// The address cannot be read: the socket is its worker's own, unless the kernel refuses it.
    fn leave_to_kernel(&mut self, worker: WorkerId, notifier: &Notifier, bind: &Bind, error: &io::Error) {
        notifier.proceed(&bind.call);
        // The kernel complains of the same to the program.
        let is_programs_fault =
            error.kind() == io::ErrorKind::InvalidInput || error.raw_os_error() == Some(libc::EFAULT);
        if is_programs_fault {
            return;
        }
        if let Some(hushed) = self.requests.complaints.ask(self.now) {
            let id = self.logical_id(worker);
            log::warn!(
                "worker {id} binds a UDP socket by itself: the address of its call cannot be read: {error}{hushed}"
            );
        }
    }
}

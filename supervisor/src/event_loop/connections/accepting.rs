//! The first half of the connection path: which listening sockets have something, and taking it out of the kernel's queue
//! as far as the core wants it. `giving` is the second half.

use super::super::Shell;
use super::super::os::Os;
use super::giving::source_of;
use crate::ids::BalancerId;
use crate::io::events::source::Source;
use crate::io::sockets::listener::Listener;
use crate::pool::{Input, Policy};
use mio::unix::SourceFd;
use mio::{Interest, Poll};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// How many connections one balancer may accept before others have their turn.
const BUDGET: u32 = 64;
/// After running out of descriptors, when to try again.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

impl<O: Os> Shell<O> {
    pub(in crate::event_loop) fn on_pending(&mut self, balancer: BalancerId) {
        // While requests are short there is room again in no time, and it is not worth two calls.
        let is_full = !self.pool.wants_queue(balancer) && !self.pool.may_accept(balancer);
        let may_mute = self.health.is_prompt && is_full;
        let Some(listener) = self.listeners.all.get_mut(&balancer) else { return };
        if listener.pending && may_mute {
            // That something waits is known, and no more can be done about it: each that comes would wake this thread.
            mute(&self.poll, listener, true);
        }
        listener.pending = true;
        self.make_ready(balancer);
    }

    /// Somebody has shut the listening socket down.
    pub(in crate::event_loop) fn on_shut(&mut self, balancer: BalancerId) {
        if let Some(listener) = self.listeners.all.get_mut(&balancer).filter(|listener| !listener.closing) {
            listener.pending = false;
            let error = "its socket was shut down".to_owned();
            self.input(Input::BalancerFailed { balancer, error });
        }
    }

    /// What an accept would wait for is not for this thread to wait for.
    pub(in crate::event_loop) fn keep_nonblocking(&mut self, balancer: BalancerId) {
        let Some(listener) = self.listeners.all.get(&balancer).filter(|listener| listener.keep_nonblocking())
        else {
            return;
        };
        let address = listener.address;
        if listener.by_kernel {
            // Its workers may wait in accept(); now there is none.
            return;
        }
        if let Some(hushed) = self.requests.complaints.ask(self.now) {
            log::warn!("{address}: a worker has cleared O_NONBLOCK of the shared socket: set again{hushed}");
        }
    }

    pub(in crate::event_loop) fn make_ready(&mut self, balancer: BalancerId) {
        if !self.listeners.ready.contains(&balancer) {
            self.listeners.ready.push_back(balancer);
        }
    }

    /// Accepts for every balancer that may, each in its turn.
    pub(in crate::event_loop) fn serve(&mut self) {
        let is_exhausted = self.listeners.exhausted_until.is_some_and(|until| until > self.now);
        if !is_exhausted {
            self.listeners.exhausted_until = None;
            self.empty_leftovers();
        }
        for _ in 0..self.listeners.ready.len() {
            let Some(balancer) = self.listeners.ready.pop_front() else { return };
            // Credits need no descriptor.
            if self.pool.wants_queue(balancer) {
                self.look_at_queue(balancer);
            } else if is_exhausted || self.accept_some(balancer) {
                self.make_ready(balancer);
            }
        }
    }

    /// There was no descriptor for a connection.
    pub(in crate::event_loop) fn complain_of_descriptors(&mut self, balancer: BalancerId, error: &io::Error) {
        if let (Some(hushed), Some(listener)) =
            (self.requests.complaints.ask(self.now), self.listeners.all.get(&balancer))
        {
            let address = listener.address;
            log::error!("cannot accept on {address}: {error}; connections wait{hushed}");
        }
        self.pause_for_descriptors();
    }

    /// Ran out of descriptors: nothing is accepted or taken back for a moment.
    pub(in crate::event_loop) fn pause_for_descriptors(&mut self) {
        self.listeners.exhausted_until = Some(self.now + EXHAUSTED_PAUSE);
    }

    /// True if there is more and the core wants it.
    fn accept_some(&mut self, balancer: BalancerId) -> bool {
        if !self.pool.may_accept(balancer) {
            // The socket is left as it is: its workers may wait in accept().
            return false;
        }
        if self.steering.has(balancer) {
            // Its sockets are the workers', who accept.
            self.refuse_waiting(balancer);
            return false;
        }
        self.keep_nonblocking(balancer);
        for _ in 0..BUDGET {
            if !self.pool.may_accept(balancer) {
                return false;
            }
            let Some(listener) = self.listeners.all.get_mut(&balancer).filter(|listener| listener.pending)
            else {
                return false;
            };
            match self.os.accept(listener) {
                Ok(connection) => {
                    let source = match self.pool.settings().balancing.policy {
                        Policy::SourceHash => source_of(&connection.peer),
                        Policy::RoundRobin | Policy::LeastConnections => 0,
                    };
                    let conn = self.connections.pending.insert(connection);
                    self.input(Input::Accepted { conn, balancer, source });
                }
                // A unix socket that lets nobody in says so once its queue is empty.
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock || listener.closing && is_shut(&error) =>
                {
                    listener.pending = false;
                    mute(&self.poll, listener, false);
                    return false;
                }
                Err(error) => match error.raw_os_error() {
                    // The kernel hands errors of connections that ended in the queue to accept; see accept(2).
                    Some(
                        libc::EINTR
                        | libc::ECONNABORTED
                        | libc::EPROTO
                        | libc::ENETDOWN
                        | libc::EHOSTDOWN
                        | libc::EHOSTUNREACH
                        | libc::ENETUNREACH
                        | libc::ENONET
                        | libc::EPERM,
                    ) => {}
                    Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                        self.complain_of_descriptors(balancer, &error);
                        return true;
                    }
                    _ => {
                        listener.pending = false;
                        let error = format!("its socket does not accept any more: {error}");
                        self.input(Input::BalancerFailed { balancer, error });
                        return false;
                    }
                },
            }
        }
        true
    }
}

/// Whether the poll reports what comes. Registering anew reports what has come meanwhile; that somebody shuts the socket
/// down is reported all the time.
pub(in crate::event_loop) fn mute(poll: &Poll, listener: &mut Listener, mute: bool) {
    if listener.muted == mute {
        return;
    }
    let interest = if mute { Interest::PRIORITY } else { Interest::READABLE };
    let source = Source::Listener(listener.id).into();
    match poll.registry().reregister(&mut SourceFd(&listener.as_fd().as_raw_fd()), source, interest) {
        Ok(()) => listener.muted = mute,
        Err(error) => log::error!("{}: cannot change what is reported: {error}", listener.address),
    }
}

fn is_shut(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINVAL)
}

//! The socket on which thunks ask: accepts them, reads one request each, sends one reply. It answers nothing itself and
//! trusts nothing but the kernel's word on who is asking: no descriptor is received before the caller decides so.

use crate::io::events::source::Source;
use crate::io::kernel::foreign::{self, Foreign};
use crate::io::kernel::{descriptors, message};
use crate::io::output::throttle::Throttle;
use clustermon_protocol::message::{MAX_FRAME, Reply};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{
    AddressFamily, Backlog, Shutdown, SockFlag, SockType, UnixAddr, accept4, bind, getsockopt, listen,
    shutdown, socket,
};
use slab::Slab;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

/// So many may be connected and have asked nothing; the oldest makes room for the next. A thunk asks as soon as it is
/// connected, and anybody on this machine may connect.
const MAX_OPEN: usize = 256;
/// Of the descriptors that there are, callers may have one in so many.
const SHARE: u64 = 8;
/// So many are taken in before the rest of the loop has its turn.
const BUDGET: u32 = 128;
/// One that has not sent its request by then is dropped.
const PATIENCE: Duration = Duration::from_secs(5);
/// After a failure, when to try again: the event does not come twice.
const RETRY: Duration = Duration::from_millis(100);

/// A process that has connected.
#[derive(Debug)]
struct Caller {
    link: Link,
    pid: u32,
    uid: u32,
    since: Instant,
}

/// A connection to whoever connected. What lies in its queue may be anybody's.
#[derive(Debug)]
struct Link(Foreign);

impl Drop for Link {
    fn drop(&mut self) {
        // The other side sees the end at once, however long the closing may take.
        let _ = shutdown(self.0.as_raw_fd(), Shutdown::Both);
    }
}

/// A request as it was read, with the means to answer it. Its descriptor, if it has one, is still the kernel's.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) frame: [u8; MAX_FRAME],
    pub(crate) len: usize,
    /// As the kernel tells, in the supervisor's PID namespace.
    pub(crate) pid: u32,
    pub(crate) uid: u32,
    pub(crate) caller: Answerer,
}

/// Answers one request.
#[derive(Debug)]
pub(crate) struct Answerer(Link);

impl Answerer {
    /// The descriptor that came beside the request, and whether more was sent than that. For callers that are known: from
    /// here on its maker's descriptors are in this process.
    pub(crate) fn take_descriptor(&self) -> (Option<Foreign>, bool) {
        match message::receive(self.0.0.as_fd(), &mut [0; MAX_FRAME]) {
            Ok(incoming) => (incoming.fd, incoming.truncated),
            Err(_) => (None, false),
        }
    }

    /// Sends the reply, perhaps with an fd, and hangs up. False if the process is gone.
    pub(crate) fn reply(self, reply: &Reply<'_>, fd: Option<std::os::fd::BorrowedFd<'_>>) -> bool {
        self.deliver(reply, fd).is_some()
    }

    /// The same, but keeps the line, which tells when the reply has been taken in.
    pub(crate) fn deliver(
        self,
        reply: &Reply<'_>,
        fd: Option<std::os::fd::BorrowedFd<'_>>,
    ) -> Option<Delivery> {
        let mut frame = [0; MAX_FRAME];
        // A reply that does not fit cannot be made: values are bounded well below a frame.
        let len = reply.encode(&mut frame)?;
        message::send(self.0.0.as_fd(), &frame[..len], fd).ok()?;
        Some(Delivery(self.0))
    }
}

/// A reply that may still be under way.
#[derive(Debug)]
pub(crate) struct Delivery(Link);

impl Delivery {
    /// True until whoever asked has hung up, which it does once it has the reply.
    pub(crate) fn is_under_way(&self) -> bool {
        message::peek(self.0.0.as_fd(), &mut [0; 1])
            .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// The request socket and who is connected to it.
#[derive(Debug)]
pub(crate) struct ThunkSocket {
    socket: OwnedFd,
    name: String,
    callers: Slab<Caller>,
    max_open: usize,
    /// More wait in the kernel's queue; when to take them in.
    more: Option<Instant>,
    complaints: Throttle,
    /// Process and user of those that were dropped without a word from them.
    silent: Vec<(u32, u32)>,
}

impl ThunkSocket {
    /// Opens the socket under an abstract name that holds `nonce`.
    pub(crate) fn open(nonce: u64, registry: &Registry) -> io::Result<Self> {
        let name = format!("clustermon/{}/{nonce:016x}", std::process::id());
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
        bind(socket.as_raw_fd(), &UnixAddr::new_abstract(name.as_bytes())?)?;
        listen(&socket, Backlog::MAXCONN)?;
        let token = Token::from(Source::Requests);
        registry.register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE)?;
        let max_open = MAX_OPEN.min(usize::try_from(descriptors::limit() / SHARE).unwrap_or(MAX_OPEN)).max(1);
        let (callers, complaints, silent) = Default::default();
        Ok(Self { socket, name, callers, max_open, more: None, complaints, silent })
    }

    /// The abstract name, without its NUL.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Who listens, as the kernel will tell those who connect: process, user, and the namespaces of both numbers.
    pub(crate) fn owner(&self) -> String {
        let namespace =
            |which: &str| std::fs::metadata(format!("/proc/self/ns/{which}")).map_or(0, |ns| ns.ino());
        let (pid, uid) = (std::process::id(), nix::unistd::geteuid());
        format!("{pid}:{uid}:{}:{}", namespace("pid"), namespace("user"))
    }

    /// Takes in who has connected; returns requests that were there at once.
    pub(crate) fn accept(&mut self, now: Instant, registry: &Registry, asked: &mut Vec<Asked>) {
        self.more = None;
        if foreign::is_full() {
            // Whoever is in the queue would only add to what cannot be closed.
            self.more = Some(now + RETRY);
            return;
        }
        for _ in 0..BUDGET {
            if self.callers.len() >= self.max_open {
                self.make_room(registry);
            }
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let link = match accept4(self.socket.as_raw_fd(), flags) {
                // SAFETY: accept4 has just made it for us.
                Ok(fd) => Link(Foreign::from(unsafe { OwnedFd::from_raw_fd(fd) })),
                Err(nix::Error::EINTR | nix::Error::ECONNABORTED) => continue,
                Err(nix::Error::EAGAIN) => return,
                Err(nix::Error::EMFILE | nix::Error::ENFILE) if self.make_room(registry) => continue,
                Err(error) => {
                    if let Some(hushed) = self.complaints.ask(now) {
                        log::warn!("a worker's request was not accepted: {error}{hushed}");
                    }
                    self.more = Some(now + RETRY);
                    return;
                }
            };
            let Ok(peer) = getsockopt(&link.0, PeerCredentials) else { continue };
            let caller = Caller { link, pid: peer.pid().unsigned_abs(), uid: peer.uid(), since: now };
            let key = self.callers.insert(caller);
            if self.read(key, registry, false, asked) {
                continue;
            }
            let fd = self.callers[key].link.0.as_raw_fd();
            let token = Token::from(Source::Request(key));
            if registry.register(&mut SourceFd(&fd), token, Interest::READABLE).is_err() {
                self.callers.remove(key);
            }
        }
        self.more = Some(now);
    }

    /// Of the process that has most connections and says nothing, drops the oldest: who floods makes room by itself, not
    /// the thunk that has just connected and is about to ask. False if there is nobody.
    fn make_room(&mut self, registry: &Registry) -> bool {
        let mut counts = HashMap::new();
        for (_, caller) in &self.callers {
            *counts.entry(caller.pid).or_insert(0u32) += 1;
        }
        let of_the_crowd =
            self.callers.iter().min_by_key(|(_, caller)| (Reverse(counts[&caller.pid]), caller.since));
        let Some(key) = of_the_crowd.map(|(key, _)| key) else { return false };
        self.drop_caller(key, registry);
        true
    }

    fn drop_caller(&mut self, key: usize, registry: &Registry) {
        let Some(caller) = self.callers.try_remove(key) else { return };
        let _ = registry.deregister(&mut SourceFd(&caller.link.0.as_raw_fd()));
        if self.silent.len() < MAX_OPEN {
            self.silent.push((caller.pid, caller.uid));
        }
    }

    /// Process and user of one that was dropped for its silence, of which nobody has heard.
    pub(crate) fn next_silent(&mut self) -> Option<(u32, u32)> {
        self.silent.pop()
    }

    /// A caller may have sent its request.
    pub(crate) fn readable(&mut self, key: usize, registry: &Registry, asked: &mut Vec<Asked>) {
        if self.callers.contains(key) {
            self.read(key, registry, true, asked);
        }
    }

    /// True if the caller is done with, one way or the other.
    fn read(&mut self, key: usize, registry: &Registry, registered: bool, asked: &mut Vec<Asked>) -> bool {
        let mut frame = [0; MAX_FRAME];
        let received = message::peek(self.callers[key].link.0.as_fd(), &mut frame);
        if received.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            return false;
        }
        let caller = self.callers.remove(key);
        if registered {
            let _ = registry.deregister(&mut SourceFd(&caller.link.0.as_raw_fd()));
        }
        if let Ok((len @ 1.., _)) = received {
            let Caller { link, pid, uid, .. } = caller;
            asked.push(Asked { frame, len, pid, uid, caller: Answerer(link) });
        }
        true
    }

    /// Drops callers that have said nothing for too long, and takes in more; `asked` gets what these have sent.
    pub(crate) fn expire(&mut self, now: Instant, registry: &Registry, asked: &mut Vec<Asked>) {
        let late = |caller: &Caller| now.saturating_duration_since(caller.since) >= PATIENCE;
        while let Some(key) = self.callers.iter().find(|(_, caller)| late(caller)).map(|(key, _)| key) {
            self.drop_caller(key, registry);
        }
        if self.more.is_some_and(|at| at <= now) {
            self.accept(now, registry, asked);
        }
    }

    /// When `expire` has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.callers.iter().map(|(_, caller)| caller.since + PATIENCE).chain(self.more).min()
    }
}

//! The socket on which thunks ask: accepts them, reads one request each, sends one reply. It answers nothing itself and
//! trusts nothing but the kernel's word on who is asking.

use super::message;
use super::source::Source;
use clustermon_protocol::message::{MAX_FRAME, Reply};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept4, bind, getsockopt, listen, socket,
};
use slab::Slab;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// More than so many thunks at once wait in the kernel's queue.
const MAX_OPEN: usize = 256;
/// One that has not sent its request by then is dropped.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process that has connected.
#[derive(Debug)]
struct Caller {
    link: OwnedFd,
    pid: u32,
    uid: u32,
    since: Instant,
}

/// A request as it came, with the means to answer it.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) frame: [u8; MAX_FRAME],
    pub(crate) len: usize,
    pub(crate) socket: Option<OwnedFd>,
    /// As the kernel tells, in the supervisor's PID namespace.
    pub(crate) pid: u32,
    pub(crate) uid: u32,
    pub(crate) caller: Answerer,
}

/// Answers one request.
#[derive(Debug)]
pub(crate) struct Answerer(OwnedFd);

impl Answerer {
    /// Sends the reply, perhaps with an fd, and hangs up. False if the process is gone.
    pub(crate) fn reply(self, reply: &Reply<'_>, fd: Option<std::os::fd::BorrowedFd<'_>>) -> bool {
        let mut frame = [0; MAX_FRAME];
        // A reply that does not fit cannot be made: values are bounded well below a frame.
        let Some(len) = reply.encode(&mut frame) else { return false };
        message::send(self.0.as_fd(), &frame[..len], fd).is_ok()
    }
}

/// The request socket and who is connected to it.
#[derive(Debug)]
pub(crate) struct Intercept {
    socket: OwnedFd,
    name: String,
    callers: Slab<Caller>,
    full: bool,
}

impl Intercept {
    /// Opens the socket under an abstract name that holds `nonce`.
    pub(crate) fn open(nonce: u64, registry: &Registry) -> io::Result<Self> {
        let name = format!("clustermon/{}/{nonce:016x}", std::process::id());
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
        bind(socket.as_raw_fd(), &UnixAddr::new_abstract(name.as_bytes())?)?;
        listen(&socket, Backlog::MAXCONN)?;
        let token = Token::from(Source::Requests);
        registry.register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { socket, name, callers: Slab::new(), full: false })
    }

    /// The abstract name, without its NUL.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Takes in who has connected; returns requests that were there at once.
    pub(crate) fn accept(&mut self, now: Instant, registry: &Registry, asked: &mut Vec<Asked>) {
        loop {
            self.full = self.callers.len() >= MAX_OPEN;
            if self.full {
                return;
            }
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let link = match accept4(self.socket.as_raw_fd(), flags) {
                // SAFETY: accept4 has just made it for us.
                Ok(fd) => unsafe { OwnedFd::from_raw_fd(fd) },
                Err(nix::Error::EINTR | nix::Error::ECONNABORTED) => continue,
                Err(nix::Error::EAGAIN) => return,
                Err(error) => {
                    log::warn!("a worker's request was not accepted: {error}");
                    // The event will not come again: try on the next turn of the clock.
                    self.full = true;
                    return;
                }
            };
            let Ok(peer) = getsockopt(&link, PeerCredentials) else { continue };
            let caller = Caller { link, pid: peer.pid().unsigned_abs(), uid: peer.uid(), since: now };
            let key = self.callers.insert(caller);
            if self.read(key, registry, false, asked) {
                continue;
            }
            let fd = self.callers[key].link.as_raw_fd();
            let token = Token::from(Source::Request(key));
            if registry.register(&mut SourceFd(&fd), token, Interest::READABLE).is_err() {
                self.callers.remove(key);
            }
        }
    }

    /// A caller may have sent its request.
    pub(crate) fn readable(&mut self, key: usize, now: Instant, registry: &Registry, asked: &mut Vec<Asked>) {
        if self.callers.contains(key) {
            self.read(key, registry, true, asked);
        }
        if self.full {
            self.accept(now, registry, asked);
        }
    }

    /// True if the caller is done with, one way or the other.
    fn read(&mut self, key: usize, registry: &Registry, registered: bool, asked: &mut Vec<Asked>) -> bool {
        let mut frame = [0; MAX_FRAME];
        let received = message::receive(self.callers[key].link.as_fd(), &mut frame);
        if received.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            return false;
        }
        let caller = self.callers.remove(key);
        if registered {
            let _ = registry.deregister(&mut SourceFd(&caller.link.as_raw_fd()));
        }
        if let Ok(incoming) = received
            && incoming.len > 0
        {
            if incoming.truncated {
                log::warn!("a descriptor sent by process {} could not be taken", caller.pid);
            }
            let Caller { link, pid, uid, .. } = caller;
            let caller = Answerer(link);
            asked.push(Asked { frame, len: incoming.len, socket: incoming.fd, pid, uid, caller });
        }
        true
    }

    /// Drops callers that have said nothing for too long; `asked` gets what others have sent in the meantime.
    pub(crate) fn expire(&mut self, now: Instant, registry: &Registry, asked: &mut Vec<Asked>) {
        let late = |caller: &Caller| now.saturating_duration_since(caller.since) >= PATIENCE;
        self.callers.retain(|_, caller| {
            if late(caller) {
                let _ = registry.deregister(&mut SourceFd(&caller.link.as_raw_fd()));
                log::warn!("process {} (uid {}) connected and asked nothing", caller.pid, caller.uid);
            }
            !late(caller)
        });
        if self.full {
            self.accept(now, registry, asked);
        }
    }

    /// When `expire` has something to do.
    pub(crate) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let retry = self.full.then(|| now + Duration::from_millis(100));
        self.callers.iter().map(|(_, caller)| caller.since + PATIENCE).chain(retry).min()
    }
}

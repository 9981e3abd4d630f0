//! The control socket: who may asks, one JSON object a line, and is answered in the order of the requests. It carries
//! nothing out and never waits.

mod lines;

use super::command_text::{CommandText, changes};
use super::connection::{Connection, Gone, Step};
use super::last_end::{self, LastEnd};
use super::place::{ControlError, Place};
use super::socket::Socket;
use super::wire::{self, Fault};
use crate::api::{Action, Command, Event, Failure, Reply};
use crate::io::events::source::Source;
use crate::io::kernel::foreign::Foreign;
use crate::io::output::throttle::Throttle;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{MsgFlags, SockFlag, UnixCredentials, accept4, getsockopt, send};
use nix::unistd::Uid;
use slab::Slab;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// More are told to try again later.
const MAX_CLIENTS: usize = 64;
/// So many are taken in before the rest of the loop has its turn.
const BUDGET: u32 = 32;
/// A client that has asked nothing for so long, and waits for nothing, may have to make room.
const SILENCE: Duration = Duration::from_secs(5);
/// After running out of descriptors, when to accept again.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Who asked; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientId {
    place: usize,
    serial: u64,
}

/// The socket and who is connected to it.
#[derive(Debug)]
pub(crate) struct Control {
    socket: Socket,
    registry: Registry,
    uid: Uid,
    clients: Slab<Connection>,
    connected: u64,
    asked: VecDeque<(ClientId, Command)>,
    retry_at: Option<Instant>,
    complaints: Throttle,
    /// Some client has asked for lines as they are written.
    are_lines_read: bool,
}

impl Control {
    /// Opens the socket. One that a dead supervisor left is replaced; a live one's is an error, or, for a name that need
    /// not be exact, a reason to take another name.
    pub(crate) fn open(place: &Place, registry: &Registry) -> Result<Self, ControlError> {
        let socket = Socket::open(place)?;
        // How one of this name ended before is of no interest any more.
        last_end::remove(&last_end::beside(&socket.path));
        let token = Token::from(Source::Control);
        registry.register(&mut SourceFd(&socket.as_fd().as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self {
            socket,
            registry: registry.try_clone()?,
            uid: Uid::effective(),
            clients: Slab::new(),
            connected: 0,
            asked: VecDeque::new(),
            retry_at: None,
            complaints: Throttle::default(),
            are_lines_read: false,
        })
    }

    /// The name under which it was opened; `None` if it was opened at a path.
    pub(crate) fn name(&self) -> Option<&str> {
        self.socket.name.as_deref()
    }

    /// The file, absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.socket.path
    }

    /// Leaves word of how the cluster has ended, for who asks when this socket is gone; or takes back what was said of it.
    pub(crate) fn leave_word(&self, end: Option<&LastEnd>) {
        let path = last_end::beside(&self.socket.path);
        match end {
            Some(end) => last_end::write(&path, end),
            None => drop(last_end::remove(&path)),
        }
    }

    /// Takes in who has connected ([`Source::Control`]).
    pub(crate) fn accept(&mut self, now: Instant) {
        self.retry_at = None;
        for _ in 0..BUDGET {
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let link = match accept4(self.socket.as_fd().as_raw_fd(), flags) {
                // SAFETY: accept4 has just made it for us.
                Ok(fd) => unsafe { OwnedFd::from_raw_fd(fd) },
                Err(Errno::EINTR | Errno::ECONNABORTED) => continue,
                Err(Errno::EAGAIN) => return,
                Err(errno) => {
                    if let Some(hushed) = self.complaints.ask(now) {
                        log::warn!(
                            "a client of the control socket was not accepted: {}{hushed}",
                            errno.desc()
                        );
                    }
                    // The event will not come again.
                    self.retry_at = Some(now + EXHAUSTED_PAUSE);
                    return;
                }
            };
            self.admit(link.into(), now);
        }
        self.retry_at = Some(now);
    }

    fn admit(&mut self, link: Foreign, now: Instant) {
        let Ok(peer) = getsockopt(&link, PeerCredentials) else { return };
        let (uid, pid) = (Uid::from_raw(peer.uid()), peer.pid().unsigned_abs());
        if uid != self.uid && !uid.is_root() {
            return self.refuse(&link, peer, now, &Fault::Forbidden { uid: uid.as_raw() });
        }
        if self.clients.len() >= MAX_CLIENTS && !self.make_room(pid, now) {
            return self.refuse(&link, peer, now, &Fault::Busy { clients: MAX_CLIENTS });
        }
        self.connected += 1;
        let fd = link.as_raw_fd();
        let place = self.clients.insert(Connection::new(link, self.connected, uid.as_raw(), pid, now));
        let (token, interest) = (Token::from(Source::Client(place)), Interest::READABLE | Interest::WRITABLE);
        if let Err(error) = self.registry.register(&mut SourceFd(&fd), token, interest) {
            log::warn!("a client of the control socket cannot be watched: {error}");
            self.clients.remove(place);
            return;
        }
        self.go_on(place, now);
    }

    fn refuse(&mut self, link: &Foreign, peer: UnixCredentials, now: Instant, fault: &Fault) {
        if let Some(hushed) = self.complaints.ask(now) {
            let (pid, uid) = (peer.pid(), peer.uid());
            log::warn!("control: process {pid} of user {uid} was turned away: {fault}{hushed}");
        }
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        // It may be gone already.
        let _ = send(link.as_raw_fd(), wire::fault(fault).as_bytes(), flags);
    }

    /// Closes a connection for a newcomer's: one of a process that has more of them than any other and than the
    /// newcomer's, else one that has asked nothing for long; never one that waits for an answer. False if there is none.
    fn make_room(&mut self, newcomer: u32, now: Instant) -> bool {
        let mut counts = HashMap::new();
        for (_, client) in &self.clients {
            *counts.entry(client.pid).or_insert(0usize) += 1;
        }
        let of = |pid: u32| counts.get(&pid).copied().unwrap_or(0);
        let may_go = |client: &Connection| {
            let crowds = of(client.pid) > MAX_CLIENTS / 4 && of(client.pid) > of(newcomer);
            let silent = now.saturating_duration_since(client.heard) >= SILENCE;
            (crowds && !client.is_asking()) || (silent && client.is_idle() && client.pid != newcomer)
        };
        let candidates = self.clients.iter().filter(|(_, client)| may_go(client));
        let rank = |client: &Connection| (Reverse(of(client.pid)), !client.is_idle(), client.heard);
        let Some((place, client)) = candidates.min_by_key(|(_, client)| rank(client)) else { return false };
        let (pid, uid) = (client.pid, client.uid);
        if let Some(hushed) = self.complaints.ask(now) {
            let count = of(pid);
            log::warn!(
                "control: process {pid} of user {uid} has {count} connections: one makes room for another's{hushed}"
            );
        }
        self.remove(place);
        true
    }

    /// A client has said something, or is gone ([`Source::Client`]).
    pub(crate) fn readable(&mut self, place: usize, now: Instant) {
        self.go_on(place, now);
    }

    /// A client has taken something ([`Source::Client`]).
    pub(crate) fn writable(&mut self, place: usize, now: Instant) {
        if let Some(client) = self.clients.get_mut(place) {
            match client.flush() {
                Ok(()) => self.go_on(place, now),
                Err(Gone) => self.remove(place),
            }
        }
    }

    /// The next command to carry out. Each must be answered by `reply`, sooner or later; until then its client's next one
    /// waits. Events are followed without asking anybody.
    pub(crate) fn next(&mut self) -> Option<(ClientId, Command)> {
        self.asked.pop_front()
    }

    /// Answers a command. A client that is gone is no error. What it asked after that is there for `next`.
    pub(crate) fn reply(&mut self, client: ClientId, result: &Result<Reply, Failure>, now: Instant) {
        let Some(connection) = self.clients.get_mut(client.place) else { return };
        if connection.serial != client.serial {
            return;
        }
        match connection.answer(&wire::answer(result)) {
            Ok(()) => self.go_on(client.place, now),
            Err(Gone) => self.remove(client.place),
        }
    }

    /// Whether anybody would get an event.
    pub(crate) fn has_followers(&self) -> bool {
        self.clients.iter().any(|(_, client)| client.is_following())
    }

    /// Tells all who follow.
    pub(crate) fn publish(&mut self, event: &Event, at: Option<u64>) {
        if !self.has_followers() {
            return;
        }
        let line = wire::event(event, at);
        let gone: Vec<usize> = self
            .clients
            .iter_mut()
            .filter_map(|(place, client)| client.publish(&line).is_err().then_some(place))
            .collect();
        for place in gone {
            self.remove(place);
        }
    }

    /// When `expire` has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let paused = self.clients.iter().filter_map(|(_, client)| client.resumes_at);
        paused.chain(self.retry_at).min()
    }

    /// Goes on with what had to wait for this moment.
    pub(crate) fn expire(&mut self, now: Instant) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.accept(now);
        }
        let due = |client: &Connection| client.resumes_at.is_some_and(|at| at <= now);
        let due: Vec<usize> =
            self.clients.iter().filter(|(_, client)| due(client)).map(|(place, _)| place).collect();
        for place in due {
            self.go_on(place, now);
        }
    }

    /// Takes up what a client has asked.
    fn go_on(&mut self, place: usize, now: Instant) {
        let Some(client) = self.clients.get_mut(place) else { return };
        match client.step(now) {
            Step::Idle | Step::Paused => {}
            Step::Gone => self.remove(place),
            Step::Asked(command) => {
                let told = CommandText(&command);
                let level = if changes(&command.action) { log::Level::Info } else { log::Level::Debug };
                log::log!(level, "control: {told}, asked by process {} of user {}", client.pid, client.uid);
                if command.action != Action::Events {
                    let id = ClientId { place, serial: client.serial };
                    self.asked.push_back((id, command));
                } else if client.answer(&wire::answer(&Ok(Reply::Done))).is_err() {
                    self.remove(place);
                } else {
                    client.follow();
                }
            }
        }
    }

    fn remove(&mut self, place: usize) {
        let client = self.clients.remove(place);
        // A process that is being started may hold a copy for a moment: without this its events would go on.
        let _ = self.registry.deregister(&mut SourceFd(&client.as_fd().as_raw_fd()));
        log::debug!("control: process {} of user {} is gone", client.pid, client.uid);
    }
}

#[cfg(test)]
mod tests;

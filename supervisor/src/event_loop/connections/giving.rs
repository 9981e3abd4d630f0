//! A connection given to a lane, and how much waits there: the second half of the connection path where the supervisor accepts.
//! `accepting` is the first half; who is given it is the core's to say.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::{ConnId, LaneId};
use crate::io::events::source::Source;
use crate::io::lanes::lane::Lane;
use crate::pool::Input;
use clustermon_protocol::address::Address;
use mio::unix::SourceFd;
use mio::{Interest, Poll};
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::os::fd::{AsFd, AsRawFd};

impl<O: Os> Shell<O> {
    /// The connection path: one sendmsg, one close, and word that the copy is closed.
    pub(in crate::event_loop) fn dispatch(&mut self, conn: ConnId, id: LaneId) {
        let waits = self.waits_so_far(id);
        let Some(connection) = self.connections.pending.get(conn) else { return };
        let balancer = connection.balancer;
        let given = match self.lanes.all.get_mut(&id) {
            Some(lane) => self.os.give(lane, connection),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        let error = match given {
            Ok(ticket) => {
                if let (Some(open), Some(lane)) = (&mut self.connections.open, self.lanes.all.get(&id)) {
                    open.given(connection.fd.as_fd(), connection.peer.family(), lane.worker, self.now);
                }
                self.connections.pending.close(conn);
                self.connections.releases.release(ticket);
                self.mark_given(id, waits);
                return;
            }
            Err(error) => error,
        };
        let source = source_of(&connection.peer);
        let input = match is_full(&error) {
            true => Input::NoRoom { lane: id },
            false => broke(id, &error),
        };
        self.pool.handle(self.now, input);
        self.pool.handle(self.now, Input::Returned { conn, balancer, source });
    }

    /// The lane did not take a credit.
    pub(in crate::event_loop) fn not_sent(&mut self, id: LaneId, error: &io::Error) {
        let input = match self.lanes.all.get(&id) {
            Some(lane) if is_full(error) => {
                let waiting = lane.waiting().max(self.config.settings.balancing.window());
                Input::Measured { lane: id, waiting }
            }
            _ => broke(id, error),
        };
        self.pool.handle(self.now, input);
    }

    pub(in crate::event_loop) fn measure(&mut self, id: LaneId) {
        let waiting = self.lanes.all.get(&id).map_or(0, |lane| self.waiting(lane));
        self.pool.handle(self.now, Input::Measured { lane: id, waiting });
    }

    /// Arming tells at once if there is room; once armed, each receive of the worker's is an event.
    pub(in crate::event_loop) fn watch(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.all.get_mut(&id) else { return };
        lane.watched = true;
        if self.watch_thread(id) || self.watch_credits(id) {
            return;
        }
        if let Some(lane) = self.lanes.all.get_mut(&id).filter(|lane| !lane.armed) {
            match arm(&self.poll, id, lane, true) {
                Ok(()) => lane.armed = true,
                Err(error) => log::error!("cannot watch a lane: {error}"),
            }
        }
    }
}

/// The lane is full of what nobody receives, or the kernel has no room at the moment.
fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || matches!(error.raw_os_error(), Some(libc::ETOOMANYREFS | libc::ENOBUFS))
}

fn broke(lane: LaneId, error: &io::Error) -> Input {
    log::warn!("a lane broke: {error}");
    Input::LaneClosed { lane }
}

/// Registers a lane for what the worker says and, if `write`, for room in it.
pub(in crate::event_loop) fn arm(poll: &Poll, id: LaneId, lane: &Lane, write: bool) -> io::Result<()> {
    let interest = if write { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
    let fd = lane.as_fd().as_raw_fd();
    poll.registry().reregister(&mut SourceFd(&fd), Source::Lane(id).into(), interest)
}

/// Stands for a peer: its address without the port, as a number that is always the same.
pub(in crate::event_loop) fn source_of(peer: &Address) -> u64 {
    let mut hasher = DefaultHasher::new();
    match peer.port() {
        Some(_) => hasher.write(peer.with_port(0).as_bytes()),
        None => hasher.write(peer.as_bytes()),
    }
    hasher.finish()
}

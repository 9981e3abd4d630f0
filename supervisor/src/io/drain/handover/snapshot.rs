//! What a worker's processes have open and how its connections stand at one moment. It only reads.

use super::sigstop;
use crate::io::drain::idle_detector::Watched;
use crate::io::drain::idle_detector::judge::{self, History, State};
use crate::io::kernel::sockopt::get_option;
use crate::io::process::descriptor_table;
use crate::io::process::process_tree::ProcessTree;
use crate::io::sockets::sock_diag::{tcp, unix};
use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// A connection that may be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenConnection {
    pub(super) cookie: u64,
    pub(super) inode: u64,
    /// Bytes that have arrived, that the program has read, and that it has written, since the beginning.
    pub(super) received: u64,
    pub(super) consumed: u64,
    pub(super) written: u64,
    pub(super) unread: u32,
    /// Bytes that the client has not acknowledged.
    pub(super) unsent: u32,
    pub(super) sent_ago: Duration,
    pub(super) received_ago: Duration,
    /// From here to the client and back, as the kernel has measured.
    pub(super) round_trip: Duration,
}

impl SeenConnection {
    /// What changes when the program touches it, and only then.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.consumed, self.written)
    }

    /// Whether something has come after the last word of the program; within one tick of the kernel that is not known.
    pub(super) fn owes_answer(&self) -> bool {
        self.written == 0 || self.received_ago < self.sent_ago
    }
}

/// The processes of a worker, and where each socket is.
#[derive(Debug)]
pub(super) struct Processes {
    pub(super) family: HashSet<u32>,
    /// Process and number, by inode; one of several.
    pub(super) places: HashMap<u64, (u32, i32)>,
    /// The inode, by process and number.
    inodes: HashMap<(u32, i32), u64>,
}

impl Processes {
    pub(super) fn new(family: HashSet<u32>) -> Self {
        Self { family, places: HashMap::new(), inodes: HashMap::new() }
    }

    pub(super) fn insert(&mut self, pid: u32, fd: i32, inode: u64) {
        self.places.insert(inode, (pid, fd));
        self.inodes.insert((pid, fd), inode);
    }

    pub(super) fn see(pids: &[u32]) -> io::Result<Self> {
        let mut seen = Self::new(HashSet::new());
        // Those forked meanwhile are found by the second table; while the worker is stopped there are none.
        for _ in 0..2 {
            for pid in ProcessTree::read().family(pids) {
                if seen.family.insert(pid) {
                    descriptor_table::each_socket(pid, |fd, inode| {
                        seen.insert(pid, fd, inode);
                        true
                    })
                    .map_err(|error| hidden(pid, &error))?;
                }
            }
        }
        Ok(seen)
    }

    /// Whether no thread has anything to do right now.
    pub(super) fn are_at_rest(&self) -> bool {
        sigstop::are_at_rest(self.family.iter().copied())
    }

    /// Inodes of the sockets from which threads wait to receive.
    pub(super) fn receiving(&self) -> HashSet<u64> {
        let of_one = |pid: &u32| {
            let pid = *pid;
            sigstop::receiving(pid).filter_map(move |fd| self.inodes.get(&(pid, fd)).copied())
        };
        self.family.iter().flat_map(of_one).collect()
    }
}

fn hidden(pid: u32, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot read what process {pid} has open: {error}"))
}

/// The connections of a worker.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// Those at the cluster's TCP ports.
    pub(super) seen: Vec<SeenConnection>,
    /// Others, which cannot be taken, on which something may be in flight.
    pub(super) busy_others: u32,
    /// The kernel does not count bytes as it should.
    pub(super) is_too_old: bool,
}

impl Snapshot {
    pub(super) fn look(
        processes: &Processes,
        watched: &Watched,
        history: &mut History,
        now: Instant,
    ) -> io::Result<Self> {
        let mut snapshot = Self::default();
        let is_ours = |inode: u64| processes.places.contains_key(&inode);
        let mut ports: Vec<u16> = watched.ports.clone();
        let mut listener = |socket: tcp::Socket| {
            if is_ours(socket.inode) && !watched.ports.contains(&socket.port) {
                ports.push(socket.port);
                snapshot.busy_others += u32::from(socket.unread > 0);
            }
        };
        tcp::each(&[tcp::LISTEN], None, &mut listener)?;
        tcp::each_mptcp(&[tcp::LISTEN], None, &mut listener)?;
        ports.sort_unstable();
        ports.dedup();
        let grace = watched.idle_grace;
        let is_busy = |state: State| u32::from(state != State::Silent);
        tcp::each(&tcp::OPEN, Some(&ports), |socket| {
            if !is_ours(socket.inode) {
            } else if socket.state == tcp::ESTABLISHED && watched.ports.contains(&socket.port) {
                match seen(&socket) {
                    Some(seen) => snapshot.seen.push(seen),
                    None => snapshot.is_too_old = true,
                }
            } else {
                snapshot.busy_others += is_busy(judge::tcp(&socket, grace, history, now));
            }
        })?;
        tcp::each_mptcp(&tcp::OPEN, Some(&ports), |socket| {
            if is_ours(socket.inode) {
                snapshot.busy_others += is_busy(judge::tcp(&socket, grace, history, now));
            }
        })?;
        if !watched.names.is_empty() {
            unix::each(|socket| {
                if is_ours(socket.inode) && watched.names.contains(&socket.name) {
                    snapshot.busy_others += is_busy(judge::unix(&socket, grace, history, now));
                }
            })?;
        }
        history.end_look(now);
        Ok(snapshot)
    }
}

/// Looks again at one connection of which everything was read; `None` if something has come since.
pub(super) fn by_info(before: &SeenConnection, socket: BorrowedFd<'_>) -> io::Result<Option<SeenConnection>> {
    let mut info = [0; 256];
    let len = get_option(socket, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info)?;
    let traffic = tcp::traffic(&info[..len]);
    if traffic.received != Some(before.received) {
        return Ok(None);
    }
    let (cookie, inode) = (before.cookie, before.inode);
    let state = tcp::ESTABLISHED;
    Ok(seen(&tcp::Socket { state, port: 0, inode, cookie, unread: 0, unsent: 0, traffic }))
}

fn seen(socket: &tcp::Socket) -> Option<SeenConnection> {
    let traffic = socket.traffic;
    let received = traffic.received?;
    Some(SeenConnection {
        cookie: socket.cookie,
        inode: socket.inode,
        received,
        consumed: received.saturating_sub(socket.unread.into()),
        written: traffic.written?,
        unread: socket.unread,
        unsent: socket.unsent,
        sent_ago: traffic.sent_ago?,
        received_ago: traffic.received_ago?,
        round_trip: traffic.round_trip.unwrap_or_default(),
    })
}

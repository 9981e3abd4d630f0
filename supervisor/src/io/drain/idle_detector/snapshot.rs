//! One look at all watched workers: their lanes first, then the descriptors of their processes, then the kernel's sockets.
//! In this order a connection cannot slip through: it goes from a lane straight into a process, and stays in the tables.

use super::judge::{self, History, State};
use super::{Report, Watched};
use crate::io::kernel::sockopt;
use crate::io::process::descriptor_table;
use crate::io::process::process_tree::ProcessTree;
use crate::io::sockets::sock_diag::{tcp, unix};
use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// Processes forked while descriptors were read are read too, so many times over.
const ROUNDS: u32 = 8;
/// A dump comes in parts of some hundred sockets. Between two of them one socket that closes may hide another, so that a
/// long one has to say the same twice.
const ONE_PART: u32 = 50;

/// A watched worker.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) watched: Watched,
    /// The last report.
    pub(super) told: Option<Report>,
    history: History,
    /// The last look found it quiet, but a long dump is trusted at the second time only.
    perhaps: bool,
}

impl Entry {
    pub(super) fn new(watched: Watched) -> Self {
        Self { watched, told: None, history: History::default(), perhaps: false }
    }
}

/// What a look found of one worker.
#[derive(Debug)]
pub(super) struct LookOutcome {
    pub(super) report: Report,
    /// It would be quiet after this time if nothing moves; `None` if something is in flight now.
    pub(super) in_time: Option<Duration>,
}

/// What is known of a worker in the course of a look.
struct Sight {
    family: HashSet<u32>,
    sockets: HashSet<u64>,
    ports: HashSet<u16>,
    connections: u32,
    busy: u32,
    /// The longest time that is missing; zero if none is.
    missing: Duration,
    /// Something will not be quiet by waiting alone.
    in_flight: bool,
    blind: Option<String>,
}

/// Looks at all; the outcomes are in the order of the entries.
pub(super) fn at_all(entries: &mut [Entry], now: Instant) -> Vec<LookOutcome> {
    if entries.is_empty() {
        return Vec::new();
    }
    let mut sights: Vec<Sight> = entries.iter().map(|entry| Sight::begin(&entry.watched)).collect();
    see_processes(entries, &mut sights);
    let seen = see_sockets(entries, &mut sights, now);
    if let Err(error) = &seen {
        for sight in &mut sights {
            sight.blind.get_or_insert_with(|| format!("the kernel does not tell of its sockets: {error}"));
        }
    }
    let long = seen.is_ok_and(|count| count > ONE_PART);
    std::iter::zip(entries, sights).map(|(entry, sight)| sight.end(entry, long, now)).collect()
}

impl Sight {
    fn begin(watched: &Watched) -> Self {
        let lanes = watched.lanes.iter().filter(|lane| something_waits(lane)).count();
        let queues = watched
            .queues
            .iter()
            .filter(|queue| sockopt::queue_length(queue.as_fd()).is_some_and(|length| length > 0));
        let waiting = (lanes + queues.count()) as u32;
        Self {
            family: HashSet::new(),
            sockets: HashSet::new(),
            ports: watched.ports.iter().copied().collect(),
            connections: 0,
            busy: waiting,
            missing: Duration::ZERO,
            in_flight: waiting > 0,
            blind: None,
        }
    }

    fn count(&mut self, state: State) {
        self.connections += 1;
        match state {
            State::Busy => self.in_flight = true,
            State::SilentIn(missing) => self.missing = self.missing.max(missing),
            State::Silent => return,
        }
        self.busy += 1;
    }

    fn end(self, entry: &mut Entry, long: bool, now: Instant) -> LookOutcome {
        entry.history.end_look(now);
        let perhaps = self.busy == 0 && self.blind.is_none();
        let quiet = perhaps && (!long || entry.perhaps);
        entry.perhaps = perhaps;
        let Self { connections, busy, blind, .. } = self;
        let in_time = (!self.in_flight && blind.is_none()).then_some(self.missing);
        LookOutcome { report: Report { connections, busy, quiet, blind }, in_time }
    }
}

/// Whether the worker has something to receive yet: buffer space that is in use.
pub(in crate::io) fn something_waits(supervisor_end: &OwnedFd) -> bool {
    sockopt::unreceived(supervisor_end.as_fd()).is_ok_and(|bytes| bytes > 0)
}

/// Finds the processes of each worker and the sockets that they have.
fn see_processes(entries: &[Entry], sights: &mut [Sight]) {
    for _ in 0..ROUNDS {
        let table = ProcessTree::read();
        let mut grown = false;
        for (entry, sight) in std::iter::zip(entries, &mut *sights) {
            for pid in table.family(&entry.watched.pids) {
                if !sight.family.insert(pid) {
                    continue;
                }
                grown = true;
                let sockets = &mut sight.sockets;
                let read = descriptor_table::each_socket(pid, |_, inode| {
                    sockets.insert(inode);
                    true
                });
                if let Err(error) = read {
                    sight
                        .blind
                        .get_or_insert_with(|| format!("cannot read what process {pid} has open: {error}"));
                }
            }
        }
        if !grown {
            return;
        }
    }
}

/// Counts the connections of each worker; answers how many sockets there were to look at.
fn see_sockets(entries: &mut [Entry], sights: &mut [Sight], now: Instant) -> io::Result<u32> {
    let mut visited = 0;
    let mut listener = |socket: tcp::Socket| {
        for (entry, sight) in std::iter::zip(&*entries, &mut *sights) {
            if !sight.sockets.contains(&socket.inode) || entry.watched.ports.contains(&socket.port) {
                continue;
            }
            sight.ports.insert(socket.port);
            // Nobody but the worker accepts what waits at a port of its own.
            if socket.unread > 0 {
                sight.busy += 1;
                sight.in_flight = true;
            }
        }
    };
    tcp::each(&[tcp::LISTEN], None, &mut listener)?;
    tcp::each_mptcp(&[tcp::LISTEN], None, &mut listener)?;
    let mut ports: Vec<u16> = sights.iter().flat_map(|sight| sight.ports.iter().copied()).collect();
    ports.sort_unstable();
    ports.dedup();
    let mut visit = |socket: tcp::Socket| {
        visited += 1;
        for (entry, sight) in std::iter::zip(&mut *entries, &mut *sights) {
            if sight.sockets.contains(&socket.inode) && sight.ports.contains(&socket.port) {
                let grace = entry.watched.idle_grace;
                sight.count(judge::tcp(&socket, grace, &mut entry.history, now));
            }
        }
    };
    tcp::each(&tcp::OPEN, Some(&ports), &mut visit)?;
    tcp::each_mptcp(&tcp::OPEN, Some(&ports), &mut visit)?;
    if entries.iter().any(|entry| !entry.watched.names.is_empty()) {
        unix::each(|socket| {
            visited += 1;
            for (entry, sight) in std::iter::zip(&mut *entries, &mut *sights) {
                if sight.sockets.contains(&socket.inode) && entry.watched.names.contains(&socket.name) {
                    let grace = entry.watched.idle_grace;
                    sight.count(judge::unix(&socket, grace, &mut entry.history, now));
                }
            }
        })?;
    }
    Ok(visited)
}

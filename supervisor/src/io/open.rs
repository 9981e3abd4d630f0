//! Which connections are still open, and whose they are: remembered by the kernel's cookie when they are handed over,
//! counted by asking the kernel now and then. Only where somebody wants to know.

use super::{diag, lane};
use crate::ids::WorkerId;
use clustermon_protocol::address::UNIX;
use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// No more often than this, however often somebody asks.
const SOONEST: Duration = Duration::from_millis(50);
/// At least this often while connections are open.
const LATEST: Duration = Duration::from_secs(1);

/// The connections that have been handed over.
#[derive(Debug)]
pub(crate) struct OpenConnections {
    /// The worker, and whether it is a unix socket.
    owners: HashMap<u64, (WorkerId, bool)>,
    next: Option<Instant>,
    last: Option<Instant>,
}

impl OpenConnections {
    pub(crate) fn new() -> Self {
        Self { owners: HashMap::new(), next: None, last: None }
    }

    /// A connection is about to be handed to the worker.
    pub(crate) fn given(&mut self, connection: BorrowedFd<'_>, family: u16, worker: WorkerId, now: Instant) {
        let mut cookie = [0; 8];
        // A connection without a cookie is not counted; there is none on any kernel that we run on.
        if lane::get_option(connection, libc::SOL_SOCKET, libc::SO_COOKIE, &mut cookie).is_ok() {
            self.owners.insert(u64::from_ne_bytes(cookie), (worker, family == UNIX));
            self.soon(now + SOONEST * 2);
        }
    }

    /// Somebody wants to know.
    pub(crate) fn ask(&mut self, now: Instant) {
        let soonest = self.last.map_or(now, |last| last + SOONEST);
        self.soon(soonest.max(now));
    }

    fn soon(&mut self, at: Instant) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    /// When `count` has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.next
    }

    /// Counts: how many each worker has that ever had one and is not known to have none.
    pub(crate) fn count(&mut self, now: Instant) -> io::Result<HashMap<WorkerId, u64>> {
        self.last = Some(now);
        // Also where the kernel does not tell: nobody is to try again at once.
        self.next = Some(now + LATEST);
        let mut open = HashSet::new();
        let mut see = |cookie: u64| {
            if self.owners.contains_key(&cookie) {
                open.insert(cookie);
            }
        };
        if self.owners.values().any(|(_, unix)| !unix) {
            diag::each_open_connection(&mut see)?;
        }
        if self.owners.values().any(|(_, unix)| *unix) {
            diag::each_open_unix_connection(&mut see)?;
        }
        let mut counts: HashMap<WorkerId, u64> = HashMap::new();
        for (cookie, (worker, _)) in &self.owners {
            *counts.entry(*worker).or_default() += u64::from(open.contains(cookie));
        }
        self.owners.retain(|cookie, _| open.contains(cookie));
        if self.owners.is_empty() {
            self.next = None;
        }
        Ok(counts)
    }
}

//! Which connections are still open, and whose they are: remembered by the kernel's number for them when they are handed over,
//! or when the worker says that it has accepted them; counted by asking the kernel now and then. Only where somebody wants to know.

use super::credit::Credits;
use crate::ids::WorkerId;
use crate::io::kernel::scheduling::processor_time;
use crate::io::kernel::sockopt;
use crate::io::sockets::sock_diag;
use clustermon_protocol::address::UNIX;
use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// No more often than this, however often somebody asks,
const SOONEST: Duration = Duration::from_millis(1);
/// and the kernel's tables so seldom that it takes no more than one part in so many of the time.
const SHARE: u32 = 20;
/// This long after a connection was given.
const GIVEN: Duration = Duration::from_millis(100);
/// At least this often while connections are open.
const LATEST: Duration = Duration::from_secs(1);
/// So many connections does a worker accept at most between two counts; what it says beyond that is not remembered.
const MOST: u32 = 1 << 16;

/// The connections of workers.
#[derive(Debug, Default)]
pub(crate) struct OpenConnections {
    /// By worker and number, whether it is a unix socket. What a worker says takes no connection from another's count.
    owned: HashMap<(WorkerId, u64), bool>,
    /// How many were added since the last count.
    fresh: HashMap<WorkerId, u32>,
    /// Lanes that have ended, until nothing more is accepted by them.
    ended: Vec<(WorkerId, Credits)>,
    next: Option<Instant>,
    last: Option<Instant>,
    /// When the kernel's tables may be read again.
    dump: Option<Instant>,
}

impl OpenConnections {
    /// A connection is about to be handed to the worker.
    pub(crate) fn given(&mut self, connection: BorrowedFd<'_>, family: u16, worker: WorkerId, now: Instant) {
        // A connection without a cookie is not counted; there is none on any kernel that we run on.
        if let Ok(cookie) = sockopt::cookie(connection) {
            self.add(cookie, worker, family == UNIX, now);
        }
    }

    /// The worker has accepted a TCP connection with this number.
    pub(crate) fn accepted(&mut self, number: u64, worker: WorkerId, now: Instant) {
        self.add(number, worker, false, now);
    }

    fn add(&mut self, number: u64, worker: WorkerId, unix: bool, now: Instant) {
        let fresh = self.fresh.entry(worker).or_default();
        if *fresh < MOST {
            *fresh += 1;
            self.owned.insert((worker, number), unix);
        }
        self.soon(now + GIVEN);
    }

    /// A lane of the worker has ended; what was accepted by it goes on.
    pub(crate) fn ended(&mut self, worker: WorkerId, mut credits: Credits) {
        // Who is accepting goes on; nobody begins.
        credits.write_off();
        self.ended.push((worker, credits));
    }

    /// Of these workers only.
    pub(crate) fn forget_ended(&mut self, lives: impl Fn(WorkerId) -> bool) {
        self.ended.retain(|(worker, _)| lives(*worker));
    }

    /// These have ended.
    pub(crate) fn closed(&mut self, numbers: &HashSet<u64>) {
        self.owned.retain(|(_, number), _| !numbers.contains(number));
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

    /// Counts: how many each worker has that has one of these lanes, or ever had a connection and is not known to have none. With what
    /// it may yet accept by singles.
    pub(crate) fn count<'a>(
        &mut self,
        now: Instant,
        lanes: impl Iterator<Item = (WorkerId, Option<&'a Credits>)>,
    ) -> io::Result<HashMap<WorkerId, u64>> {
        self.last = Some(now);
        let mut counts: HashMap<WorkerId, u64> = HashMap::new();
        for (worker, credits) in lanes {
            let unused = credits.map_or(0, |credits| self.hear(worker, credits, now));
            *counts.entry(worker).or_default() += u64::from(unused);
        }
        let mut ended = std::mem::take(&mut self.ended);
        ended.retain(|(worker, credits)| {
            let unused = self.hear(*worker, credits, now);
            *counts.entry(*worker).or_default() += u64::from(unused);
            unused > 0
        });
        self.ended = ended;
        for (worker, _) in self.owned.keys() {
            counts.entry(*worker).or_default();
        }
        // Else it is what was heard since; where that is not all it is too many.
        self.next = self.dump.filter(|at| now < *at);
        if self.next.is_none() {
            self.look(now)?;
        }
        for (worker, _) in self.owned.keys() {
            *counts.entry(*worker).or_default() += 1;
        }
        if self.owned.is_empty() && self.ended.is_empty() {
            self.next = None;
        }
        Ok(counts)
    }

    /// Forgets those that the kernel does not have any more.
    fn look(&mut self, now: Instant) -> io::Result<()> {
        // Also where the kernel does not tell: nobody is to try again at once.
        (self.next, self.dump) = (Some(now + LATEST), Some(now + LATEST));
        let begun = processor_time();
        let mut open = HashSet::new();
        let mut see = |number: u64| {
            open.insert(number);
        };
        if self.owned.values().any(|unix| !unix) {
            sock_diag::each_open_connection(&mut see)?;
        }
        if self.owned.values().any(|unix| *unix) {
            sock_diag::unix::each_open_connection(&mut see)?;
        }
        self.owned.retain(|(_, number), _| open.contains(number));
        self.fresh.clear();
        self.dump = Some(now + SOONEST.max(processor_time().saturating_sub(begun) * SHARE));
        Ok(())
    }

    /// Remembers what was accepted by these credits. How many singles are left of them.
    fn hear(&mut self, worker: WorkerId, credits: &Credits, now: Instant) -> u32 {
        // Looked at first: who has used one by then has noted it.
        let unused = credits.unused();
        credits.take_notes(|number| self.accepted(number, worker, now));
        unused
    }
}

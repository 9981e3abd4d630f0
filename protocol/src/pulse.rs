//! The pulse page: memory that a worker's threads write in passing and the supervisor looks at. One page a process, one
//! cache line a thread; unasked, no call, no message and no wake-up on either side.
//!
//! A thread is *waiting* while it is in epoll, poll, select or a blocking accept, and *running* between two waits. A
//! thread that has accepted a connection from a lane, or waits for one there, is *serving*. The reader may ask one of them
//! to *ring*: to say by a message when it goes into its next wait. Times are CLOCK_MONOTONIC_COARSE in nanoseconds: a few
//! milliseconds coarse, and free. The reader trusts nothing that it finds.

mod waits;

pub use self::waits::{LaneMask, WaitsOn};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use core::time::Duration;

const MAGIC: u32 = u32::from_le_bytes(*b"clmH");
/// The layout that this build writes. It reads the first one too, of a process that began before an upgrade: what it finds
/// there for `ran` is less than any time.
pub const LAYOUT: u32 = 2;
/// Threads that have a record of their own; further ones go unseen.
pub const THREADS: usize = 63;
/// Size of the page, in bytes.
pub const SIZE: usize = 4096;

/// What `state` says of a thread that waits.
pub const WAITING: u32 = 1;
const RUNNING: u32 = 2;

/// What of a thread's `state` the reader looks at; above it stands its way.
pub const STATE: u32 = 0xff;
const IN_WAITS: u32 = 1 << 8;
const IN_ACCEPT: u32 = 2 << 8;
const UNSEEN: u32 = 3 << 8;
const WAY: u32 = 3 << 8;
/// The wait that it is in is on what `set` says.
const ON: u32 = 1 << 10;
/// It is in an accept() that blocks.
const BLOCKS: u32 = 1 << 11;
/// What `set` says is a mask of lanes, not an epoll set.
const LANES: u32 = 1 << 31;
/// Nanoseconds in the unit of `ran`, as a power of two.
const RAN_UNIT: u32 = 10;

/// The page.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Page {
    magic: AtomicU32,
    layout: AtomicU32,
    pid: AtomicU32,
    /// Threads that wait in accept() and found no record.
    unseen: AtomicU32,
    head: [u32; 12],
    records: [Record; THREADS],
}

/// One thread. Written by it alone, but for `worst`, which the reader takes, and `serving`, which it may set.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Record {
    /// What the thread is known by to itself: its thread pointer; 0 is nobody.
    key: AtomicU64,
    since: AtomicU64,
    worst: AtomicU64,
    loops: AtomicU64,
    accepted: AtomicU64,
    tid: AtomicU32,
    /// Waiting or running, and how it waits for connections, as far as the writer has found out.
    state: AtomicU32,
    serving: AtomicU32,
    /// The epoll set that it waits on or last waited on, plus one; or, with the highest bit, a mask of lanes; 0 is none.
    set: AtomicU32,
    /// For how long it has run, in units of 1,024 ns; wraps around.
    ran: AtomicU32,
    /// The descriptor of the lane by which to say when it next goes into a wait, plus one; 0 is none. The reader asks, and
    /// the writer answers once.
    bell: AtomicU32,
}

/// How long a thread ran between two looks, from what they found for `ran`.
pub fn ran_between(before: u32, after: u32) -> Duration {
    Duration::from_nanos(u64::from(after.wrapping_sub(before)) << RAN_UNIT)
}

/// Where in a thread's record are how many connections it has accepted, and its state, for a reader that does not speak this language.
pub const ACCEPTED_AT: usize = core::mem::offset_of!(Record, accepted);
pub const STATE_AT: usize = core::mem::offset_of!(Record, state);
/// The bits that a place of a record in the page may have.
pub const PLACES: u32 = (SIZE - size_of::<Record>()) as u32;

/// One look at one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The thread, in its own PID namespace.
    pub tid: u32,
    /// It has accepted from a lane, or waits for a connection of one.
    pub serving: bool,
    /// It is between two waits; for how long is `now - since`.
    pub running: bool,
    /// When it last entered or left a wait, in nanoseconds.
    pub since: u64,
    /// Waits entered.
    pub loops: u64,
    /// Connections taken from lanes.
    pub accepted: u64,
    /// For how long it had run until its last wait, in units of 1,024 ns; wraps around. Right on average, since the clock
    /// is coarser than most runs.
    pub ran: u32,
    /// The descriptor of the epoll set that it waits on or last waited on.
    pub set: Option<u32>,
    /// What it waits on now, if it waits and has said on what.
    pub waits_on: Option<WaitsOn>,
    /// It is in an accept() that blocks until somebody connects.
    pub blocks: bool,
}

impl Look {
    /// For how long it has been away from its wait at `now`, in nanoseconds. A time from the future is garbage.
    pub fn away(&self, now: u64) -> u64 {
        if self.running { now.saturating_sub(self.since) } else { 0 }
    }

    /// As `ran`, with the run that it is in.
    pub fn ran_until(&self, now: u64) -> u32 {
        self.ran.wrapping_add((self.away(now) >> RAN_UNIT) as u32)
    }
}

impl Page {
    /// The process begins to write.
    pub fn begin(&self, pid: u32) {
        self.layout.store(LAYOUT, Ordering::Relaxed);
        self.pid.store(pid, Ordering::Relaxed);
        self.magic.store(MAGIC, Ordering::Release);
    }

    /// True once a process writes in a layout that this build reads.
    pub fn is_begun(&self) -> bool {
        let layout = self.layout.load(Ordering::Relaxed);
        self.magic.load(Ordering::Acquire) == MAGIC && (1..=LAYOUT).contains(&layout)
    }

    /// Where in the page the record of this thread is, in bytes.
    pub fn place(&self, tid: u32) -> Option<u32> {
        let has = |record: &Record| {
            record.key.load(Ordering::Relaxed) != 0 && record.tid.load(Ordering::Relaxed) == tid
        };
        let at = self.records.iter().position(has)?;
        Some((core::mem::offset_of!(Self, records) + at * size_of::<Record>()) as u32)
    }

    /// The record of the thread with this key; a free one becomes its own, with the tid that `tid` tells.
    pub fn record(&self, key: u64, tid: impl FnOnce() -> u32) -> Option<&Record> {
        let start = (key >> 6).wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize >> 32;
        for step in 0..THREADS {
            let record = &self.records[(start + step) % THREADS];
            match record.key.load(Ordering::Relaxed) {
                found if found == key => return Some(record),
                0 if record.key.compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed).is_ok() => {
                    record.tid.store(tid(), Ordering::Relaxed);
                    return Some(record);
                }
                _ => {}
            }
        }
        None
    }

    /// As [`Page::record`], for a thread that serves: where none is free it takes over one of a thread that does not.
    pub fn serving_record(&self, key: u64, tid: impl Fn() -> u32) -> Option<&Record> {
        self.record(key, &tid).or_else(|| {
            self.records.iter().find(|record| {
                let owner = record.key.load(Ordering::Relaxed);
                let idle = record.serving.load(Ordering::Relaxed) == 0;
                let taken = idle
                    && record.key.compare_exchange(owner, key, Ordering::Relaxed, Ordering::Relaxed).is_ok();
                if taken {
                    record.begin_anew(tid());
                }
                taken
            })
        })
    }

    /// A thread without a record goes into an accept() that may be its wait.
    pub fn enter_unseen(&self) {
        self.unseen.fetch_add(1, Ordering::Relaxed);
    }

    /// It comes out of it.
    pub fn leave_unseen(&self) {
        self.unseen.fetch_sub(1, Ordering::Relaxed);
    }

    /// Some thread that has no record waits in accept().
    pub fn has_unseen(&self) -> bool {
        self.unseen.load(Ordering::Relaxed) != 0
    }

    /// The records of threads that have ended become free; `has_ended` tells by tid. One that shows a wait stays: it may be
    /// that of a later thread, which came by the same thread pointer and has kept the tid that stood there. If such a
    /// one is freed while it runs, the thread gets another at its next wait. True if any was freed.
    pub fn free_ended(&self, has_ended: impl Fn(u32) -> bool) -> bool {
        let mut any = false;
        for record in &self.records {
            let key = record.key.load(Ordering::Relaxed);
            let tid = record.tid.load(Ordering::Relaxed);
            let waits = record.state.load(Ordering::Acquire) & STATE == WAITING;
            if key != 0 && tid != 0 && !waits && has_ended(tid) {
                record.begin_anew(0);
                any |= record.key.compare_exchange(key, 0, Ordering::Release, Ordering::Relaxed).is_ok();
            }
        }
        any
    }

    /// The thread serves too: it waits for connections, though it has not come to accept one. The reader says so.
    pub fn serves(&self, tid: u32) {
        let found = self.records.iter().find(|record| {
            record.key.load(Ordering::Relaxed) != 0 && record.tid.load(Ordering::Relaxed) == tid
        });
        if let Some(record) = found {
            record.serving.store(1, Ordering::Relaxed);
        }
    }

    /// The thread is asked to say by its descriptor `lane` when it next goes into a wait.
    pub fn ask(&self, tid: u32, lane: u32) {
        let serves = |record: &&Record| {
            record.serving.load(Ordering::Relaxed) != 0 && record.tid.load(Ordering::Relaxed) == tid
        };
        if let Some(record) = self.records.iter().find(serves) {
            record.bell.store(lane.wrapping_add(1), Ordering::Release);
        }
    }

    /// Every thread that has a record, as it is now.
    pub fn looks(&self) -> impl Iterator<Item = Look> + '_ {
        self.records.iter().filter_map(Record::look)
    }

    /// The longest run of any serving thread that ended since this was last asked, in nanoseconds.
    pub fn take_worst(&self) -> u64 {
        let serving = |record: &&Record| record.serving.load(Ordering::Relaxed) != 0;
        self.records
            .iter()
            .filter(serving)
            .map(|record| record.worst.swap(0, Ordering::Relaxed))
            .max()
            .unwrap_or(0)
    }
}

impl Record {
    /// It is to be another thread's, of which nothing is known yet. What is only counted goes on.
    fn begin_anew(&self, tid: u32) {
        self.serving.store(0, Ordering::Relaxed);
        self.set.store(0, Ordering::Relaxed);
        self.bell.store(0, Ordering::Relaxed);
        self.worst.store(0, Ordering::Relaxed);
        self.tid.store(tid, Ordering::Relaxed);
        self.state.store(0, Ordering::Release);
    }

    /// The thread whose record it is, as its process names it.
    pub fn tid(&self) -> u32 {
        self.tid.load(Ordering::Relaxed)
    }

    /// The thread goes into a wait.
    pub fn enter(&self, now: u64) {
        self.begin_wait(now, 0);
    }

    /// The thread goes into a wait on this epoll set.
    pub fn enter_set(&self, now: u64, set: i32) {
        self.set.store((set as u32).wrapping_add(1) & !LANES, Ordering::Relaxed);
        self.begin_wait(now, ON);
    }

    /// The thread goes into a wait that ends when one of these lanes is readable, if there are any.
    pub fn enter_lanes(&self, now: u64, lanes: LaneMask) {
        if lanes.is_empty() {
            return self.begin_wait(now, 0);
        }
        self.set.store(LANES | lanes.0, Ordering::Relaxed);
        self.begin_wait(now, ON);
    }

    /// The thread goes into accept() on this lane.
    pub fn enter_accept(&self, now: u64, fd: i32, blocks: bool) {
        let mut lanes = LaneMask::default();
        lanes.add(fd);
        self.set.store(LANES | lanes.0, Ordering::Relaxed);
        self.begin_wait(now, if blocks { ON | BLOCKS } else { ON });
    }

    fn begin_wait(&self, now: u64, on: u32) {
        let state = self.state.load(Ordering::Relaxed);
        if state & STATE == RUNNING {
            let ran = now.saturating_sub(self.since.load(Ordering::Relaxed));
            if ran > self.worst.load(Ordering::Relaxed) {
                self.worst.store(ran, Ordering::Relaxed);
            }
            let before = self.ran.load(Ordering::Relaxed);
            self.ran.store(before.wrapping_add((ran >> RAN_UNIT) as u32), Ordering::Relaxed);
        }
        self.loops.store(self.loops.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        self.since.store(now, Ordering::Relaxed);
        self.state.store(state & WAY | on | WAITING, Ordering::Release);
    }

    /// The descriptor of the lane by which it is to say that it has gone into a wait, if it has been asked and has not
    /// yet answered. Looked at after `enter`, as whoever asks looks after that whether it waits: one of them sees the other,
    /// or, where both look within the same few nanoseconds, the reader does when it looks again.
    pub fn answer(&self) -> Option<i32> {
        if self.bell.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.bell.swap(0, Ordering::Acquire).checked_sub(1).and_then(|lane| i32::try_from(lane).ok())
    }

    /// It has been asked and has not answered.
    pub fn is_asked(&self) -> bool {
        self.bell.load(Ordering::Relaxed) != 0
    }

    /// The thread comes out of it.
    pub fn leave(&self, now: u64) {
        self.since.store(now, Ordering::Relaxed);
        let way = self.state.load(Ordering::Relaxed) & WAY;
        self.state.store(way | RUNNING, Ordering::Release);
    }

    /// It is in an accept() that blocks: it has said so and not come out of it.
    pub fn blocks(&self) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        state & STATE == WAITING && state & BLOCKS != 0 || state & WAY == IN_ACCEPT
    }

    /// It waits by calls of which it tells before and after.
    pub fn waits_in_calls(&self) {
        let state = self.state.load(Ordering::Relaxed);
        if state & WAY != IN_WAITS {
            self.state.store(state & !WAY | IN_WAITS, Ordering::Relaxed);
        }
    }

    /// Whether an accept() by a thread that has not been told of anything may be taken for its wait: unless it never
    /// blocks there and is not known to wait elsewhere. Such a thread waits unseen, and nothing is told about it.
    pub fn may_wait_in_accept(&self, blocks: impl FnOnce() -> bool) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        match state & WAY {
            0 => {
                let blocks = blocks();
                self.state.store(state | if blocks { IN_ACCEPT } else { UNSEEN }, Ordering::Relaxed);
                blocks
            }
            way => way != UNSEEN,
        }
    }

    /// The thread has taken a connection from a lane.
    pub fn accepted(&self) {
        self.accepted.store(self.accepted.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        self.serves();
    }

    /// It waits for connections, though it may not yet have come to take one.
    pub fn serves(&self) {
        self.serving.store(1, Ordering::Relaxed);
    }

    fn look(&self) -> Option<Look> {
        if self.key.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let loops = self.loops.load(Ordering::Relaxed);
        let state = self.state.load(Ordering::Acquire);
        let set = self.set.load(Ordering::Acquire);
        // Between the two readings it may have gone on to another wait.
        let same = self.state.load(Ordering::Acquire) == state && self.loops.load(Ordering::Relaxed) == loops;
        let on = same && state & ON != 0 && state & STATE == WAITING;
        let waits_on = if set & LANES != 0 {
            WaitsOn::Lanes(LaneMask(set & !LANES))
        } else {
            WaitsOn::Set(set.wrapping_sub(1))
        };
        Some(Look {
            tid: self.tid.load(Ordering::Relaxed),
            serving: self.serving.load(Ordering::Relaxed) != 0,
            running: state & STATE == RUNNING,
            since: self.since.load(Ordering::Relaxed),
            loops,
            accepted: self.accepted.load(Ordering::Relaxed),
            ran: self.ran.load(Ordering::Relaxed),
            set: set.checked_sub(1).filter(|_| set & LANES == 0),
            waits_on: on.then_some(waits_on),
            blocks: on && state & BLOCKS != 0,
        })
    }
}

#[cfg(test)]
mod tests;

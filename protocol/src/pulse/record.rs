//! One thread's record: what the thread writes of itself when it goes into a wait and comes out of it. Two words of it are the
//! reader's to write.

use super::look::{PulseLook, RAN_UNIT};
use super::waits::{LaneMask, WaitsOn};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

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

/// One thread. Written by it alone, but for `worst`, which the reader takes, and `serving`, which it may set.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Record {
    /// What the thread is known by to itself: its thread pointer; 0 is nobody.
    pub(super) key: AtomicU64,
    pub(super) since: AtomicU64,
    pub(super) worst: AtomicU64,
    pub(super) loops: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) tid: AtomicU32,
    /// Waiting or running, and how it waits for connections, as far as the writer has found out.
    pub(super) state: AtomicU32,
    pub(super) serving: AtomicU32,
    /// The epoll set that it waits on or last waited on, plus one; or, with the highest bit, a mask of lanes; 0 is none.
    pub(super) set: AtomicU32,
    /// For how long it has run, in units of 1,024 ns; wraps around.
    pub(super) ran: AtomicU32,
    /// The descriptor of the lane by which to say when it next goes into a wait, plus one; 0 is none. The reader asks, and
    /// the writer answers once.
    pub(super) bell: AtomicU32,
}

/// Where in a thread's record are how many connections it has accepted, and its state, for a reader that does not speak this language.
pub const ACCEPTED_AT: usize = core::mem::offset_of!(Record, accepted);
pub const STATE_AT: usize = core::mem::offset_of!(Record, state);

impl Record {
    /// It is to be another thread's, of which nothing is known yet. What is only counted goes on.
    pub(super) fn begin_anew(&self, tid: u32) {
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

    pub(super) fn look(&self) -> Option<PulseLook> {
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
        Some(PulseLook {
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

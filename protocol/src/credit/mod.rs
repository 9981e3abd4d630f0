//! The page of one lane: memory that the supervisor and every process which holds the lane write, and by which they agree on
//! credits. It holds rights, never connections; the supervisor trusts nothing that it finds here.
//!
//! A *credit* is the right to accept from the shared listening socket. Of a *single* one connection may be accepted: it is a
//! record in the lane, taken off before the accept. An *open* credit allows accepting until the queue is found empty; its
//! record stays in the lane, so that the lane is readable for as long as the credit is open.
//!
//! # The word
//! One atomic word holds the generation of the last open credit, whether it is open, and whether the supervisor wants to
//! hear (RING). The supervisor stores the word and sends the record; before it sleeps it sets RING in each lane, and does
//! not sleep if one of them is no longer open. A worker that finds the queue empty (twice in a row, if the page says that it may be
//! patient) shuts its own generation by compare-and-swap; only who succeeds sends word, if RING was set, and takes the record off. A record of the generation that
//! is still open, received because another thread was quicker, shuts it too, and the supervisor always hears of that. Older
//! records are dropped. Each side writes one word and then reads the other's, with a SeqCst fence in between.
//!
//! # Direct waits
//! Where the page tells how the lane is registered in the epoll set by which its only thread waits ([`Direct`]), a worker that finds the queue
//! empty may take the record off and leave the credit open: from then on its wait watches the listening socket itself, beside the set, and
//! the kernel wakes it. It is over when the supervisor revokes the credit, and leaves a void record to say so.
//!
//! # Before the supervisor sleeps
//! Where it found the queue not empty, it sets RING in every lane that has a credit, also where these suffice for what waits: a
//! single may just have been spent on an empty queue. It looks after that whether each is still open, and at `used`; if
//! anything has changed it looks at the queue again. While somebody who may accept has no credit it sleeps with a time
//! limit, since a worker with a credit may never come. After a revoke it looks at the queue again, too.
//!
//! # Marks
//! A thread that accepts marks itself here first and looks then whether it still may; who revokes clears the word first
//! and looks then for marks. So a lane that shows neither an open credit, nor an unused single, nor a mark takes nothing more.
//!
//! A single that was taken off the lane and is not used is either a thread's that is held up before its mark, or lost, because its
//! thread has ended. The supervisor cannot tell which: it begins a new *series*, and a single of an older one allows nothing. Here too
//! each side writes first and looks then: a thread marks itself and looks at the series, the supervisor begins a series and looks
//! for marks.

mod allowance;
mod direct;
mod notes;
mod supervisor;
mod sync;
mod turn;
mod worker;

pub use self::allowance::Allowance;
pub use self::direct::{Direct, Registration};
pub use self::notes::NOTES;
use self::sync::{AtomicU32, AtomicU64, Ordering};
pub use self::turn::{Came, Do, Received, Stays, Turn};

/// Size of the page, in bytes.
pub const SIZE: usize = 4096;
/// Threads of all holders that can be marked by name at once; further ones are only counted.
pub const MARKS: usize = if cfg!(all(test, loom)) { 2 } else { 64 };
/// What an open credit may accept where there is no ceiling.
pub const NO_CEILING: u32 = u32::MAX;

const MAGIC: u32 = u32::from_le_bytes(*b"clmC");
/// The layout that this build writes and reads.
pub const LAYOUT: u32 = 2;

const OPEN: u64 = 1;
const RING: u64 = 2;
/// How far above the two bits the generation stands.
const GENERATION: u32 = 2;

/// The page.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct LanePage {
    magic: AtomicU32,
    layout: AtomicU32,
    head: [u32; 14],
    word: Line<AtomicU64>,
    /// Singles used since the lane was made, whatever came of them; wraps around.
    used: Line<AtomicU32>,
    /// Connections accepted by either kind since the lane was made.
    accepted: Line<AtomicU64>,
    /// What the open credit may still accept, below the lower half of its generation: what one generation did not use is not
    /// the next one's.
    allowance: Line<AtomicU64>,
    /// Connections that were handed over by this lane, counted before each is sent; wraps around.
    handed: Line<AtomicU32>,
    /// How many of these were received.
    received: Line<AtomicU32>,
    /// Threads that are marked and found no place below.
    overflow: Line<AtomicU32>,
    marks: Line<[AtomicU32; MARKS]>,
    /// An open credit may stay open over one accept that finds nothing.
    patient: Line<AtomicU32>,
    direct: Direct,
    /// Singles of this series may be used.
    series: Line<AtomicU32>,
    /// The supervisor wants to know which connections are accepted.
    counted: Line<AtomicU32>,
    notes: Line<[AtomicU64; NOTES]>,
}

/// On cache lines of its own.
#[derive(Debug)]
#[repr(C, align(64))]
struct Line<T>(T);

/// What a worker that found the queue empty did to the open credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shut {
    /// It was shut or replaced already.
    Not,
    /// It is shut by this call. `ring`: the supervisor wants to hear.
    Done { ring: bool },
}

/// Where a thread is marked.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, Copy, PartialEq, Eq, Hash))]
#[must_use]
pub struct Mark(usize);

impl LanePage {
    /// The supervisor begins to use it.
    pub fn begin(&self) {
        self.layout.store(LAYOUT, Ordering::Relaxed);
        self.magic.store(MAGIC, Ordering::Release);
    }

    /// True if it is a page of a layout that this build reads.
    pub fn is_begun(&self) -> bool {
        self.magic.load(Ordering::Acquire) == MAGIC && self.layout.load(Ordering::Relaxed) == LAYOUT
    }

    /// How the worker's wait may watch the listening socket itself.
    pub fn direct(&self) -> &Direct {
        &self.direct
    }
}

#[cfg(test)]
impl LanePage {
    /// As the memory is before anybody has written to it.
    fn blank() -> Self {
        let line = || Line(AtomicU32::new(0));
        Self {
            magic: AtomicU32::new(0),
            layout: AtomicU32::new(0),
            head: [0; 14],
            word: Line(AtomicU64::new(0)),
            used: line(),
            accepted: Line(AtomicU64::new(0)),
            allowance: Line(AtomicU64::new(0)),
            handed: line(),
            received: line(),
            overflow: line(),
            marks: Line(core::array::from_fn(|_| AtomicU32::new(0))),
            patient: line(),
            direct: Direct::blank(),
            series: line(),
            counted: line(),
            notes: Line(core::array::from_fn(|_| AtomicU64::new(0))),
        }
    }
}

#[cfg(not(all(test, loom)))]
const _: () = assert!(size_of::<LanePage>() == SIZE);

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod model;
#[cfg(all(test, not(loom)))]
mod race;
#[cfg(all(test, not(loom)))]
mod tests;

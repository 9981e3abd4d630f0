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
mod sync;
mod turn;

pub use self::allowance::Allowance;
pub use self::direct::{Direct, Registration};
pub use self::notes::NOTES;
use self::sync::{AtomicU32, AtomicU64, Ordering, fence};
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

    // The worker's side.

    /// The generation of the credit that is open now.
    pub fn open_generation(&self) -> Option<u64> {
        let word = self.word.0.load(Ordering::SeqCst);
        (word & OPEN != 0).then_some(word >> GENERATION)
    }

    /// The queue was found empty under the open credit of this generation.
    pub fn shut(&self, generation: u64) -> Shut {
        let mut word = self.word.0.load(Ordering::SeqCst);
        loop {
            if word & OPEN == 0 || word >> GENERATION != generation {
                return Shut::Not;
            }
            let shut = generation << GENERATION;
            match self.word.0.compare_exchange(word, shut, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return Shut::Done { ring: word & RING != 0 },
                // RING may have been set meanwhile.
                Err(now) => word = now,
            }
        }
    }

    /// Who finds the queue empty may leave the credit open the first time: the record in the lane brings its thread back.
    pub fn is_patient(&self) -> bool {
        self.patient.0.load(Ordering::Relaxed) != 0
    }

    /// Whether a single of this series may be used. To be asked by a thread that has marked itself.
    pub fn may_use_single(&self, series: u32) -> bool {
        self.series.0.load(Ordering::SeqCst) == series
    }

    /// A single is used: it was taken off the lane, and the accept that it allowed is over. True if the supervisor wants to
    /// hear of it.
    pub fn use_single(&self) -> bool {
        self.count_use();
        self.take_ring()
    }

    /// The first half of [`LanePage::use_single`].
    fn count_use(&self) {
        self.used.0.fetch_add(1, Ordering::SeqCst);
        // Pairs with the one in `ask_to_ring`: either RING is seen here, or this use there.
        fence(Ordering::SeqCst);
    }

    /// The second half.
    fn take_ring(&self) -> bool {
        self.word.0.load(Ordering::SeqCst) & RING != 0
            && self.word.0.fetch_and(!RING, Ordering::SeqCst) & RING != 0
    }

    /// A connection was accepted. To be called before the mark is taken away and before the single is used, so that whoever
    /// sees neither sees this.
    pub fn count_accepted(&self) {
        self.accepted.0.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection that was handed over may lie in the lane: there has to be room for its descriptor before it is received.
    pub fn may_hold_connections(&self) -> bool {
        self.handed.0.load(Ordering::SeqCst) != self.received.0.load(Ordering::Relaxed)
    }

    /// One of them was received, or has been lost.
    pub fn count_received(&self) {
        self.received.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The thread is about to accept. It looks after this whether it still may. `thread` is its id and never 0: one that left
    /// without taking its mark away finds it again.
    pub fn mark(&self, thread: u32) -> Mark {
        for step in 0..MARKS {
            let place = (thread as usize + step) % MARKS;
            let mark = &self.marks.0[place];
            let found = mark.load(Ordering::Relaxed);
            if found == thread
                || found == 0 && mark.compare_exchange(0, thread, Ordering::SeqCst, Ordering::Relaxed).is_ok()
            {
                // Pairs with the one in `marked`: either the mark is seen there, or the credit's end here. It is needed where
                // the mark stood already, too.
                fence(Ordering::SeqCst);
                return Mark(place);
            }
        }
        self.overflow.0.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        Mark(MARKS)
    }

    /// Its accept is over.
    pub fn unmark(&self, mark: Mark) {
        match self.marks.0.get(mark.0) {
            Some(place) => place.store(0, Ordering::SeqCst),
            None => {
                self.overflow.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }

    // The supervisor's side.

    /// Opens a credit of this generation, which may accept so many. To be called only while none is open; its record is sent
    /// after this.
    pub fn open(&self, generation: u64, ceiling: u32) {
        self.allow(generation, ceiling);
        self.publish(generation);
    }

    /// The second half of [`LanePage::open`].
    fn publish(&self, generation: u64) {
        self.word.0.store(generation << GENERATION | OPEN, Ordering::SeqCst);
    }

    /// Whether the waits of all who hold the lane are known to tell of it for as long as a record is in it.
    pub fn set_patient(&self, on: bool) {
        self.patient.0.store(on.into(), Ordering::Relaxed);
    }

    /// Whether a credit is open.
    pub fn is_open(&self) -> bool {
        self.word.0.load(Ordering::SeqCst) & OPEN != 0
    }

    /// The open credit ends. True if there was one: then its record may still lie in the lane.
    pub fn revoke(&self) -> bool {
        self.word.0.fetch_and(!OPEN, Ordering::SeqCst) & OPEN != 0
    }

    /// The worker is to send word when the open credit is shut, or a single is used. True if a credit is open: if none is
    /// and no single is unused, there is nothing that it could send word of.
    ///
    /// A single that was used before RING was seen is not heard of: look at [`LanePage::used`] after this.
    pub fn ask_to_ring(&self) -> bool {
        let before = self.word.0.fetch_or(RING, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        before & OPEN != 0
    }

    /// Singles of other series than this may not be used any more, but by threads that are marked now.
    pub fn begin_series(&self, series: u32) {
        self.series.0.store(series, Ordering::SeqCst);
        // Pairs with the one in `mark`: either the mark is seen after this, or the series there.
        fence(Ordering::SeqCst);
    }

    /// A connection is about to be handed over by this lane.
    pub fn hand_over(&self) {
        self.handed.0.fetch_add(1, Ordering::SeqCst);
    }

    /// No connection lies in the lane: all that were handed over have been received. One that is being counted makes the two sides
    /// differ, until this is said again; then the worker only looks for room before it receives.
    pub fn nothing_is_handed(&self) {
        self.handed.0.store(self.received.0.load(Ordering::Relaxed), Ordering::SeqCst);
    }

    /// Singles used so far; wraps around.
    pub fn used(&self) -> u32 {
        self.used.0.load(Ordering::SeqCst)
    }

    /// Connections accepted so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.0.load(Ordering::Relaxed)
    }

    /// As [`LanePage::accepted`], with those that may be being accepted now. Once no credit is open and no single is
    /// unused, no more than these have been accepted by this lane: what a new credit may accept is counted from here.
    pub fn accepted_at_most(&self) -> u64 {
        let marks = self.marks_set();
        // Read after the marks: whose mark has gone is counted.
        // A worker may have written anything.
        u64::from(marks).wrapping_add(self.accepted())
    }

    /// Threads that are marked, with and without a name.
    fn marks_set(&self) -> u32 {
        let named = self.marked().filter(|thread| *thread != 0).count() as u32;
        named.wrapping_add(self.overflow.0.load(Ordering::SeqCst))
    }

    /// Threads that may be accepting now; 0 stands for those that have no name.
    pub fn marked(&self) -> impl Iterator<Item = u32> + '_ {
        fence(Ordering::SeqCst);
        let unnamed = (self.overflow.0.load(Ordering::SeqCst) != 0).then_some(0);
        let named = self.marks.0.iter().map(|mark| mark.load(Ordering::SeqCst)).filter(|thread| *thread != 0);
        named.chain(unnamed)
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

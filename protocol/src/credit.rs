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
//! not sleep if one of them is no longer open. A worker that finds the queue empty shuts its own generation by
//! compare-and-swap; only who succeeds sends word, if RING was set, and takes the record off. A record of the generation that
//! is still open, received because another thread was quicker, shuts it too, and the supervisor always hears of that. Older
//! records are dropped. All of it is SeqCst: each side writes one word and then reads the other's.
//!
//! # Marks
//! A thread that accepts marks itself here first and looks then whether it still may; who revokes clears the word first
//! and looks then for marks. So a lane that shows neither an open credit, nor an unused single, nor a mark takes nothing more.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Size of the page, in bytes.
pub const SIZE: usize = 4096;
/// Threads of all holders that can be marked by name at once; further ones are only counted.
pub const MARKS: usize = 64;
/// What an open credit may accept where there is no ceiling.
pub const NO_CEILING: u32 = u32::MAX;

const MAGIC: u32 = u32::from_le_bytes(*b"clmC");
/// The layout that this build writes and reads.
pub const LAYOUT: u32 = 1;

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
    /// What the open credit may still accept; above it the lower half of its generation, so that what a thread gives back late
    /// is not counted for another credit.
    allowance: Line<AtomicU64>,
    /// Connections that were handed over by this lane, counted before each is sent; wraps around.
    handed: Line<AtomicU32>,
    /// How many of these were received.
    received: Line<AtomicU32>,
    /// Threads that are marked and found no place below.
    overflow: Line<AtomicU32>,
    marks: Line<[AtomicU32; MARKS]>,
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

    // The worker's side.

    /// The generation of the credit that is open now.
    pub fn open_generation(&self) -> Option<u64> {
        let word = self.word.0.load(Ordering::SeqCst);
        (word & OPEN != 0).then_some(word >> GENERATION)
    }

    /// One connection is about to be accepted by the open credit of this generation: false if its ceiling is reached, or if
    /// another one has taken its place.
    pub fn take_allowance(&self, generation: u64) -> bool {
        self.change_allowance(generation, |left| left.checked_sub(1))
    }

    /// None was accepted after all. Where another credit has taken the place of this one, its ceiling stays as it is.
    pub fn return_allowance(&self, generation: u64) {
        self.change_allowance(generation, |left| (left < NO_CEILING - 1).then(|| left + 1));
    }

    /// True if the allowance of this generation is endless, or was changed.
    fn change_allowance(&self, generation: u64, change: impl Fn(u32) -> Option<u32>) -> bool {
        let mut found = self.allowance.0.load(Ordering::SeqCst);
        loop {
            let left = found as u32;
            if found >> 32 != generation & u64::from(u32::MAX) {
                return false;
            }
            if left == NO_CEILING {
                return true;
            }
            let Some(changed) = change(left) else { return false };
            let changed = allowance(generation, changed);
            match self.allowance.0.compare_exchange(found, changed, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return true,
                Err(now) => found = now,
            }
        }
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

    /// A single is used: it was taken off the lane, and the accept that it allowed is over. True if the supervisor wants to
    /// hear of it.
    pub fn use_single(&self) -> bool {
        self.used.0.fetch_add(1, Ordering::SeqCst);
        self.word.0.load(Ordering::SeqCst) & RING != 0
            && self.word.0.fetch_and(!RING, Ordering::SeqCst) & RING != 0
    }

    /// A connection was accepted.
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
                // Where it stood already, what follows must not be read before this either.
                core::sync::atomic::fence(Ordering::SeqCst);
                return Mark(place);
            }
        }
        self.overflow.0.fetch_add(1, Ordering::SeqCst);
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
        self.allowance.0.store(allowance(generation, ceiling), Ordering::SeqCst);
        self.word.0.store(generation << GENERATION | OPEN, Ordering::SeqCst);
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
    pub fn ask_to_ring(&self) -> bool {
        self.word.0.fetch_or(RING, Ordering::SeqCst) & OPEN != 0
    }

    /// A connection is about to be handed over by this lane.
    pub fn hand_over(&self) {
        self.handed.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Singles used so far; wraps around.
    pub fn used(&self) -> u32 {
        self.used.0.load(Ordering::SeqCst)
    }

    /// Connections accepted so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.0.load(Ordering::Relaxed)
    }

    /// Threads that may be accepting now; 0 stands for one that has no name.
    pub fn marked(&self) -> impl Iterator<Item = u32> + '_ {
        let unnamed = (self.overflow.0.load(Ordering::SeqCst) != 0).then_some(0);
        let named = self.marks.0.iter().map(|mark| mark.load(Ordering::SeqCst)).filter(|thread| *thread != 0);
        named.chain(unnamed)
    }
}

/// The word that holds what the open credit of this generation may still accept.
fn allowance(generation: u64, left: u32) -> u64 {
    generation << 32 | u64::from(left)
}

const _: () = assert!(size_of::<LanePage>() == SIZE);

#[cfg(test)]
mod tests;

//! What the supervisor does on the page: it opens and revokes credits, asks to hear, and reads what has come of them. It believes
//! nothing of what it reads.

use super::sync::{Ordering, fence};
use super::{GENERATION, LanePage, OPEN, RING};

impl LanePage {
    /// Opens a credit of this generation, which may accept so many. To be called only while none is open; its record is sent
    /// after this.
    pub fn open(&self, generation: u64, ceiling: u32) {
        self.allow(generation, ceiling);
        self.publish(generation);
    }

    /// The second half of [`LanePage::open`].
    pub(super) fn publish(&self, generation: u64) {
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
    pub(super) fn marks_set(&self) -> u32 {
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

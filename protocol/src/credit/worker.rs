//! What a worker does on the page: it finds out what it may accept, says what it did with it, and marks its threads. It grants nothing.

use super::sync::{Ordering, fence};
use super::{GENERATION, LanePage, MARKS, Mark, OPEN, RING, Shut};

impl LanePage {
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
    pub(super) fn count_use(&self) {
        self.used.0.fetch_add(1, Ordering::SeqCst);
        // Pairs with the one in `ask_to_ring`: either RING is seen here, or this use there.
        fence(Ordering::SeqCst);
    }

    /// The second half.
    pub(super) fn take_ring(&self) -> bool {
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
}

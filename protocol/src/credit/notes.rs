//! The connections that were accepted by a lane, by the kernel's numbers for them, until the supervisor has read these. It is only
//! written where they are counted, and says something about the lane's own worker only.

use super::LanePage;
use super::sync::Ordering;

/// How many there is room for: no more singles may be unused at a time.
pub const NOTES: usize = if cfg!(all(test, loom)) { 2 } else { 256 };

impl LanePage {
    /// Whether the supervisor wants to know which connections are accepted.
    pub fn is_counted(&self) -> bool {
        self.counted.0.load(Ordering::Relaxed) != 0
    }

    /// The supervisor wants to know. To be called before the worker has the page.
    pub fn be_counted(&self) {
        self.counted.0.store(1, Ordering::Relaxed);
    }

    /// The connection with this number was accepted; it is never 0. To be called before it is counted, and its single used.
    pub fn note(&self, number: u64) {
        let from = self.accepted() as usize;
        for step in 0..NOTES {
            let place = &self.notes.0[(from.wrapping_add(step)) % NOTES];
            if place.load(Ordering::Relaxed) == 0
                && place.compare_exchange(0, number, Ordering::Release, Ordering::Relaxed).is_ok()
            {
                return;
            }
        }
    }

    /// Takes out what was noted. After [`LanePage::used`] has been read, what was accepted by these singles is found.
    pub fn take_notes(&self, mut visit: impl FnMut(u64)) {
        for place in &self.notes.0 {
            if place.load(Ordering::Relaxed) != 0 {
                visit(place.swap(0, Ordering::AcqRel));
            }
        }
    }
}

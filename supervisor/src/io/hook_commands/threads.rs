//! The threads that have started hooks: the processes that these have started are theirs to wait for, and nobody else's.

use crate::io::process::process_tree;
use parking_lot::Mutex;
use std::sync::Arc;

/// Their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Threads(Arc<Mutex<Vec<u32>>>);

/// The calling thread is one of them, for as long as this lives.
#[derive(Debug)]
pub(super) struct OneOf(Threads, u32);

impl Threads {
    /// The calling thread is about to start hooks.
    pub(super) fn join(&self) -> OneOf {
        let tid = nix::unistd::gettid().as_raw().cast_unsigned();
        self.0.lock().push(tid);
        OneOf(self.clone(), tid)
    }

    /// There is none: whoever has been given a copy of this is gone.
    pub(super) fn are_gone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Hands over the children of this process that are no hooks; none becomes one meanwhile.
    pub(super) fn other_children(&self, see: impl FnOnce(Vec<u32>)) {
        let threads = self.0.lock();
        see(process_tree::children_but_of(&threads));
    }
}

impl Drop for OneOf {
    fn drop(&mut self) {
        self.0.0.lock().retain(|tid| *tid != self.1);
    }
}

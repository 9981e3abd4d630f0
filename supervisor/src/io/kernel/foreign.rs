//! A descriptor that somebody else made or may have filled: what is in it, or in its queue, is closed with it, and such a
//! close can block for as long as its maker likes (SO_LINGER, a file system in user space). So it is closed by threads
//! that exist for that alone, never by the thread that drops it.

mod exits;

use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// At most so many threads close at once. One is the rule; more are started while others are stuck in a close.
const MOST_THREADS: usize = 16;
/// A thread that has had nothing to do for so long ends.
const IDLE: Duration = Duration::from_secs(5);
/// With so many waiting to be closed nothing more is taken from anybody.
const FULL: usize = 256;
/// These threads call little.
const STACK: usize = 128 * 1024;

/// A descriptor that is closed elsewhere when it is dropped.
#[derive(Debug)]
pub(crate) struct Foreign(ManuallyDrop<OwnedFd>);

impl Foreign {
    /// The descriptor itself, for one that turned out to be our own.
    pub(crate) fn into_owned(self) -> OwnedFd {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped nor used again, so that the descriptor is taken once.
        unsafe { ManuallyDrop::take(&mut this.0) }
    }
}

impl From<OwnedFd> for Foreign {
    fn from(fd: OwnedFd) -> Self {
        Self(ManuallyDrop::new(fd))
    }
}

impl AsFd for Foreign {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Foreign {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // SAFETY: this runs once, and nothing uses the field afterwards.
        close(unsafe { ManuallyDrop::take(&mut self.0) });
    }
}

/// What waits to be closed, and who closes it. One for the whole process: a descriptor may be dropped anywhere.
#[derive(Debug)]
struct Queue {
    waiting: VecDeque<OwnedFd>,
    threads: usize,
    idle: usize,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { waiting: VecDeque::new(), threads: 0, idle: 0 });
static FILLED: Condvar = Condvar::new();

/// True while so much waits to be closed that nothing more should be taken from strangers.
pub(crate) fn is_full() -> bool {
    lock().waiting.len() >= FULL
}

fn lock() -> std::sync::MutexGuard<'static, Queue> {
    // Nothing in here can be left half done.
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(feature = "simulation")]
thread_local! {
    static AT_ONCE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// What this thread drops from here on it closes itself: in a simulation nothing is foreign, and when a close happens must not depend on
/// another thread.
#[cfg(feature = "simulation")]
pub(crate) fn close_at_once() {
    AT_ONCE.set(true);
}

/// Has it closed by another thread.
fn close(fd: OwnedFd) {
    #[cfg(feature = "simulation")]
    if AT_ONCE.get() {
        return drop(fd);
    }
    let mut queue = lock();
    queue.waiting.push_back(fd);
    if queue.idle > 0 {
        FILLED.notify_one();
    } else if queue.threads == 0 {
        start(&mut queue);
    }
}

/// Starts one more thread. Where that is not allowed the descriptors wait, and the next one that comes tries again.
fn start(queue: &mut Queue) {
    if queue.threads < MOST_THREADS {
        let started = thread::Builder::new().name("clm-close".to_owned()).stack_size(STACK).spawn(run);
        queue.threads += usize::from(started.is_ok());
    }
}

fn run() {
    let mut queue = lock();
    loop {
        if let Some(fd) = queue.waiting.pop_front() {
            // This thread may be stuck in what comes now: somebody else has to be there for the rest.
            if queue.idle == 0 && !queue.waiting.is_empty() {
                start(&mut queue);
            }
            drop(queue);
            exits::close(fd);
            queue = lock();
            continue;
        }
        queue.idle += 1;
        let (woken, waited) = FILLED.wait_timeout(queue, IDLE).unwrap_or_else(PoisonError::into_inner);
        queue = woken;
        queue.idle -= 1;
        if waited.timed_out() && queue.waiting.is_empty() {
            queue.threads -= 1;
            if queue.threads == 0 {
                exits::end();
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests;

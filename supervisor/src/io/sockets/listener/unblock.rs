//! Frees a thread of this process that waits in an accept which is not to wait. Others have the listening socket too, and with it
//! its O_NONBLOCK, which they may clear at any moment. While there is nothing to watch no thread wakes.

use crate::io::process::procfs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Thread;
use std::time::Duration;

/// How often it is looked, and so how long a thread may wait at most: twice this.
const STEP: Duration = Duration::from_millis(50);
/// After so many looks at which nothing was begun it sleeps.
const IDLE: u32 = 20;

thread_local! {
    static WATCH: Option<Watch> = Watch::begin().inspect_err(|error| log::warn!("accepts are not watched: {error}")).ok();
}

/// Makes a call on a listening socket that is not to wait. If it does, the socket is shut down: then the call fails with EINVAL.
pub(super) fn watched<T>(socket: BorrowedFd<'_>, call: impl FnOnce() -> T) -> T {
    WATCH.with(|watch| match watch {
        Some(watch) => watch.around(socket, call),
        None => call(),
    })
}

/// Calls are counted, so that two looks tell whether it is still the same.
const COUNT: u64 = 1 << 32;
/// The descriptor is about to be used by the thread that watches.
const USED: u64 = 1 << 31;

#[derive(Debug)]
struct State {
    /// The count of the call that goes on, above the number of its descriptor; 0 if none does.
    current: AtomicU64,
    sleeps: AtomicBool,
    over: AtomicBool,
}

#[derive(Debug)]
struct Watch {
    state: Arc<State>,
    count: AtomicU64,
    watcher: Thread,
}

impl Watch {
    fn begin() -> io::Result<Self> {
        let state = Arc::new(State {
            current: AtomicU64::new(0),
            sleeps: AtomicBool::new(false),
            over: AtomicBool::new(false),
        });
        let (pid, tid) = (std::process::id(), nix::unistd::gettid().as_raw() as u32);
        let shared = Arc::clone(&state);
        let thread = std::thread::Builder::new().name("unblock".into());
        let watcher = thread.spawn(move || shared.watch(pid, tid))?;
        Ok(Self { state, count: AtomicU64::new(0), watcher: watcher.thread().clone() })
    }

    fn around<T>(&self, socket: BorrowedFd<'_>, call: impl FnOnce() -> T) -> T {
        let count = self.count.fetch_add(COUNT, Ordering::Relaxed).wrapping_add(COUNT);
        let fd = u64::from(socket.as_raw_fd().unsigned_abs());
        self.state.current.store(count | fd, Ordering::SeqCst);
        if self.state.sleeps.load(Ordering::SeqCst) {
            self.watcher.unpark();
        }
        let done = call();
        // The descriptor stays what it is for as long as the other thread uses it.
        while self.state.current.compare_exchange(count | fd, 0, Ordering::SeqCst, Ordering::SeqCst).is_err()
        {
            std::thread::yield_now();
        }
        done
    }
}

impl State {
    /// Looks again and again at the calls of the thread `tid`.
    fn watch(&self, pid: u32, tid: u32) {
        let (mut last, mut idle) = (0, 0);
        while !self.over.load(Ordering::SeqCst) {
            let current = self.current.load(Ordering::SeqCst);
            // One that was stopped, or has no processor, does not wait.
            if current != 0 && current == last && procfs::state(pid, tid) == Some('S') {
                self.free(current);
            }
            idle = if current == 0 { idle + 1 } else { 0 };
            last = current;
            if idle < IDLE {
                std::thread::park_timeout(STEP);
                continue;
            }
            self.sleeps.store(true, Ordering::SeqCst);
            if self.current.load(Ordering::SeqCst) == 0 && !self.over.load(Ordering::SeqCst) {
                std::thread::park();
            }
            self.sleeps.store(false, Ordering::SeqCst);
            idle = 0;
        }
    }

    fn free(&self, current: u64) {
        let take = |from, to| self.current.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst);
        if take(current, current | USED).is_ok() {
            let fd = (current & (USED - 1)) as i32;
            // SAFETY: no memory is involved; the thread that has it open waits until it is used no more.
            unsafe { libc::shutdown(fd, libc::SHUT_RD) };
            self.current.store(current, Ordering::SeqCst);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        self.watcher.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    #[test]
    fn an_accept_that_waits_ends() {
        for _ in 0..3 {
            // It blocks.
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let ended = watched(listener.as_fd(), || listener.accept());
            assert_eq!(ended.unwrap_err().raw_os_error(), Some(libc::EINVAL));
        }
    }

    #[test]
    fn one_that_does_not_wait_is_left_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        for _ in 0..3 {
            let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            watched(listener.as_fd(), || listener.accept()).unwrap();
            // It has looked by then, however often.
            std::thread::park_timeout(2 * STEP);
        }
    }

    #[test]
    fn the_watching_thread_ends_with_the_other() {
        let state = std::thread::spawn(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            watched(listener.as_fd(), || listener.accept()).unwrap_err();
            WATCH.with(|watch| Arc::clone(&watch.as_ref().unwrap().state))
        });
        let state = state.join().unwrap();
        assert!(state.over.load(Ordering::SeqCst));
    }
}

//! A stream of the supervisor's own that others write lines to: a bounded queue and a thread that writes. Who writes
//! never waits for who reads; what does not fit is counted, and the count is told once the reader is back.

use super::detach_pipe::Mirror;
use crossbeam_channel::{Receiver, Sender, bounded};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
use parking_lot::Mutex;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Writes that may wait for the reader, and their bytes.
pub(super) const CAPACITY: usize = 8192;
const CAPACITY_BYTES: usize = 4 << 20;
/// What workers may take of it, so that the supervisor's own log still fits beside their flood.
const WORKERS_SHARE: usize = 4;
/// The longest that a flush takes.
const FLUSH: Duration = Duration::from_millis(200);
/// How long a reader may take nothing after everybody who writes has gone.
const LAST_WAIT_MS: u16 = 50;
/// The most that a pipe which is ready takes without waiting: PIPE_BUF.
const CHUNK: usize = 4096;
/// Under a flood the queue never runs empty: then what was dropped is told after so many bytes.
const TELL_EVERY: usize = 1 << 20;

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Supervisor,
    Worker,
}

/// The end that is written to. The thread ends with the last clone.
#[derive(Clone, Debug)]
pub(crate) struct LineWriter(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    sender: Sender<Item>,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    queued: AtomicUsize,
    /// Nobody writes any more.
    orphaned: AtomicBool,
    counters: Mutex<Vec<Arc<Drops>>>,
    /// Where `run --detach` reads along.
    mirror: Mutex<Mirror>,
}

#[derive(Debug)]
enum Item {
    Lines(Box<[u8]>),
    /// Answered when all before it is written.
    Flush(Sender<()>),
}

/// Tells how many lines were dropped: by a line for the stream itself, or in another way.
type Report = Box<dyn Fn(u64) -> Option<Vec<u8>> + Send + Sync>;

/// Lines of one source that were dropped and not yet told.
pub(crate) struct Drops {
    count: AtomicU64,
    report: Report,
}

impl std::fmt::Debug for Drops {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Drops").field(&self.count).finish()
    }
}

static STDOUT: Mutex<Weak<Handle>> = Mutex::new(Weak::new());
static STDERR: Mutex<Weak<Handle>> = Mutex::new(Weak::new());

impl LineWriter {
    /// This process's standard output: one queue for all who write there.
    pub(crate) fn stdout() -> io::Result<Self> {
        Self::shared(&STDOUT, io::stdout)
    }

    /// The same of standard error.
    pub(crate) fn stderr() -> io::Result<Self> {
        Self::shared(&STDERR, io::stderr)
    }

    fn shared<T: AsFd + Send + 'static>(place: &Mutex<Weak<Handle>>, target: fn() -> T) -> io::Result<Self> {
        let mut place = place.lock();
        if let Some(handle) = place.upgrade() {
            return Ok(Self(handle));
        }
        let sink = Self::start(target())?;
        *sink.0.state.mirror.lock() = Mirror::from_env();
        *place = Arc::downgrade(&sink.0);
        Ok(sink)
    }

    /// Starts a thread that writes to `target`.
    pub(super) fn start(target: impl AsFd + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = bounded(CAPACITY);
        let (running, ended) = bounded(0);
        let state = Arc::new(State::default());
        let writer = Writer { target, receiver, state: Arc::clone(&state), since_told: 0, given_up: false };
        // A thread inherits the mask it is started under; signals are for the thread that waits for them.
        let mut before = SigSet::empty();
        pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), Some(&mut before))?;
        let started = std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            writer.run();
            drop::<Sender<()>>(running);
        });
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
        started?;
        Ok(Self(Arc::new(Handle { sender, ended, state })))
    }

    /// A source of lines. `report` is called in the thread that writes when lines of it were dropped and there is room
    /// again; it must not wait.
    pub(crate) fn source(
        &self,
        report: impl Fn(u64) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Arc<Drops> {
        let drops = Arc::new(Drops { count: AtomicU64::new(0), report: Box::new(report) });
        let mut counters = self.0.state.counters.lock();
        counters.retain(|old| Arc::strong_count(old) > 1 || old.count.load(Ordering::Relaxed) > 0);
        counters.push(Arc::clone(&drops));
        drops
    }

    /// Whether what this one writes now would be taken.
    pub(crate) fn has_room(&self, from: From) -> bool {
        let share = if from == From::Worker { WORKERS_SHARE } else { 1 };
        self.0.sender.len() < CAPACITY / share
            && self.0.state.queued.load(Ordering::Relaxed) < CAPACITY_BYTES / share
    }

    /// Queues `count` whole lines, or counts them as dropped.
    pub(crate) fn put(&self, from: From, lines: &[u8], count: u64, drops: &Drops) {
        self.0.state.mirror.lock().put(lines);
        if self.has_room(from) {
            self.0.state.queued.fetch_add(lines.len(), Ordering::Relaxed);
            if self.0.sender.try_send(Item::Lines(lines.into())).is_ok() {
                return;
            }
            self.0.state.queued.fetch_sub(lines.len(), Ordering::Relaxed);
        }
        drops.add(count);
    }

    /// Waits until all that was put before is written, but no longer than 200 ms.
    pub(crate) fn flush(&self) {
        self.0.flush();
    }
}

impl Drops {
    /// Counts lines that were not even offered.
    pub(crate) fn add(&self, count: u64) {
        self.count.fetch_add(count, Ordering::Relaxed);
    }
}

impl Handle {
    fn flush(&self) {
        let (done, wait) = bounded(1);
        if self.sender.send_timeout(Item::Flush(done), FLUSH / 2).is_ok() {
            // Too late is as good as never: whoever should read does not.
            let _ = wait.recv_timeout(FLUSH / 2);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.flush();
        self.state.orphaned.store(true, Ordering::Relaxed);
        // The thread ends when it finds the channel disconnected; a channel of no capacity disconnects this one.
        self.sender = bounded(0).0;
        let _ = self.ended.recv_timeout(FLUSH);
    }
}

struct Writer<T> {
    target: T,
    receiver: Receiver<Item>,
    state: Arc<State>,
    since_told: usize,
    /// Nobody writes and nobody reads any more.
    given_up: bool,
}

impl<T: AsFd> Writer<T> {
    fn run(mut self) {
        while let Ok(item) = self.receiver.recv() {
            let flushed = self.take(item);
            if flushed.is_some() || self.receiver.is_empty() || self.since_told > TELL_EVERY {
                self.tell_dropped();
            }
            let Some(done) = flushed else { continue };
            // What was told of dropped lines may have gone into the queue.
            let mut others = vec![done];
            for _ in 0..self.receiver.len() {
                others.extend(self.receiver.try_recv().ok().and_then(|item| self.take(item)));
            }
            for done in others {
                // The one who asked may have given up.
                let _ = done.try_send(());
            }
        }
        self.tell_dropped();
    }

    fn take(&mut self, item: Item) -> Option<Sender<()>> {
        match item {
            Item::Lines(lines) => {
                self.put(&lines);
                self.state.queued.fetch_sub(lines.len(), Ordering::Relaxed);
                self.since_told += lines.len();
                None
            }
            Item::Flush(done) => Some(done),
        }
    }

    fn tell_dropped(&mut self) {
        self.since_told = 0;
        // A report may write a log line, and so come back here as one who writes: not under the lock.
        let counters = self.state.counters.lock().clone();
        for drops in counters {
            let count = drops.count.swap(0, Ordering::Relaxed);
            if count > 0
                && let Some(line) = (drops.report)(count)
            {
                self.put(&line);
            }
        }
    }

    /// Writes all of it, waiting as long as it takes while somebody writes; what cannot be written at all is dropped
    /// uncounted, for the reader it is meant for is gone.
    fn put(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.given_up {
            // Whoever shares the other end of a terminal or pipe may have made it non-blocking, or may not.
            let mut wanted = [PollFd::new(self.target.as_fd(), PollFlags::POLLOUT)];
            match poll(&mut wanted, PollTimeout::from(LAST_WAIT_MS)) {
                Ok(0) | Err(_) => {
                    self.given_up = self.state.orphaned.load(Ordering::Relaxed);
                    continue;
                }
                Ok(_) => {}
            }
            match nix::unistd::write(&self.target, chunk(bytes)) {
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(_) => return,
            }
        }
    }
}

/// As much as can be written at once, in whole lines if they are not longer than that.
fn chunk(bytes: &[u8]) -> &[u8] {
    let Some(most) = bytes.get(..CHUNK) else { return bytes };
    match most.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => &most[..=end],
        None => most,
    }
}

#[cfg(test)]
mod tests;

//! A stream of the supervisor's own that others write lines to: a bounded queue and a thread that writes. Who writes
//! never waits for who reads; what does not fit is counted, and the count is told once the reader is back.

pub(super) mod target;

use super::detach_pipe::Mirror;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
use parking_lot::Mutex;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use target::{Patience, Target};

/// Writes that may wait for the reader, and their bytes.
pub(super) const CAPACITY: usize = 8192;
const CAPACITY_BYTES: usize = 4 << 20;
/// What workers may take of it, so that the supervisor's own log still fits beside their flood.
const WORKERS_SHARE: usize = 4;
/// The longest that a flush takes.
const FLUSH: Duration = Duration::from_millis(200);
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
    /// Lines are as people read them.
    is_text: bool,
    /// Nobody writes any more.
    orphaned: AtomicBool,
    counters: Mutex<Vec<Arc<Drops>>>,
    /// Where `run --detach` reads along.
    mirror: Mutex<Mirror>,
}

#[derive(Debug)]
enum Item {
    /// So many whole lines, and who is told if they are lost.
    Lines(Box<[u8]>, u64, Arc<Drops>),
    /// Remove all that is written; the answer says whether that was done.
    Empty(Sender<io::Result<()>>),
    /// Answered when all before it is written.
    Flush(Sender<()>),
}

/// Tells how many lines were dropped: by a line for the stream itself, or in another way.
type Report = Box<dyn Fn(u64) -> Option<Vec<u8>> + Send + Sync>;

/// Lines of one source that were dropped and not yet told.
pub(crate) struct Drops {
    count: AtomicU64,
    /// The same since the beginning, told or not, and what could not be written.
    total: AtomicU64,
    report: Report,
}

impl std::fmt::Debug for Drops {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Drops").field(&self.count).finish()
    }
}

/// Where one queue is for all who write there.
#[derive(Debug)]
pub(super) struct Shared(Mutex<Weak<Handle>>);

impl Shared {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }
}

impl LineWriter {
    /// The one that there is in this place, or a new one; `run --detach` reads along.
    pub(super) fn shared<T: Target>(
        place: &Shared,
        target: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<Self> {
        let mut place = place.0.lock();
        if let Some(handle) = place.upgrade() {
            return Ok(Self(handle));
        }
        let sink = Self::start(target()?)?;
        *sink.0.state.mirror.lock() = Mirror::from_env();
        *place = Arc::downgrade(&sink.0);
        Ok(sink)
    }

    /// Starts a thread that writes to `target`.
    pub(super) fn start(target: impl Target) -> io::Result<Self> {
        // How much is in it is looked at before each write: one with bounds of its own takes the memory for all of it at once.
        let (sender, receiver) = unbounded();
        let (running, ended) = bounded(0);
        let state = Arc::new(State { is_text: target.takes_text(), ..State::default() });
        let writer = Writer { target, receiver, state: Arc::clone(&state), since_told: 0 };
        start_quietly("log", move || {
            writer.run();
            drop::<Sender<()>>(running);
        })?;
        Ok(Self(Arc::new(Handle { sender, ended, state })))
    }

    /// A source of lines. `report` is called in the thread that writes when lines of it were dropped and there is room
    /// again; it must not wait.
    pub(crate) fn source(
        &self,
        report: impl Fn(u64) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Arc<Drops> {
        let (count, total) = (AtomicU64::new(0), AtomicU64::new(0));
        let drops = Arc::new(Drops { count, total, report: Box::new(report) });
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
    pub(crate) fn put(&self, from: From, lines: &[u8], count: u64, drops: &Arc<Drops>) {
        if self.0.state.is_text {
            self.0.state.mirror.lock().put(lines);
        }
        if self.has_room(from) {
            self.0.state.queued.fetch_add(lines.len(), Ordering::Relaxed);
            if self.0.sender.send(Item::Lines(lines.into(), count, Arc::clone(drops))).is_ok() {
                return;
            }
            self.0.state.queued.fetch_sub(lines.len(), Ordering::Relaxed);
        }
        drops.add(count);
    }

    /// Shows who reads along the text of what is put in another form.
    pub(crate) fn mirror(&self, make: impl FnOnce() -> Vec<u8>) {
        let mut mirror = self.0.state.mirror.lock();
        if mirror.is_read() {
            mirror.put(&make());
        }
    }

    /// Has all that was put before removed once it is written. `None` if there is no room even for that; the answer comes when it is
    /// done.
    pub(crate) fn empty(&self) -> Option<Receiver<io::Result<()>>> {
        let (answer, done) = bounded(1);
        self.has_room(From::Supervisor)
            .then(|| self.0.sender.send(Item::Empty(answer)).ok().map(|()| done))?
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
        self.total.fetch_add(count, Ordering::Relaxed);
    }

    /// All that was lost since the beginning.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

impl Handle {
    fn flush(&self) {
        let (done, wait) = bounded(1);
        if self.sender.send(Item::Flush(done)).is_ok() {
            // Too late is as good as never: whoever should read does not.
            let _ = wait.recv_timeout(FLUSH);
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
}

impl<T: Target> Writer<T> {
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
            Item::Lines(lines, count, drops) => {
                let lost = self.target.put(&lines, count, &Patience::new(&self.state.orphaned));
                drops.total.fetch_add(lost, Ordering::Relaxed);
                self.state.queued.fetch_sub(lines.len(), Ordering::Relaxed);
                self.since_told += lines.len();
                None
            }
            Item::Empty(answer) => {
                // The one who asked may have gone.
                let _ = answer.try_send(self.target.empty());
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
                let _ = self.target.put(&line, 0, &Patience::new(&self.state.orphaned));
            }
        }
    }
}

/// Starts a thread that gets no signals: it inherits the mask that it is started under, and signals are for the thread that waits for them.
pub(super) fn start_quietly(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), Some(&mut before))?;
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    started.map(drop)
}

#[cfg(test)]
mod tests;

//! The lanes that this process has met, by the kernel's number for the lane's socket: after dup2 between two lanes the number of
//! a descriptor says nothing. It has no lock and takes no memory from the program's allocator; a forked child has it as it was.
//! An entry is never taken out of memory and its page never unmapped, so that a thread which comes late finds zeroes.

use super::shared::Listener;
use crate::kernel::memory::{self, Memory};
use crate::kernel::sys;
use clustermon_protocol::credit::{LanePage, SIZE};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};

/// Nobody has asked for it.
const NEW: u32 = 0;
/// There is a page and a listening socket.
const CREDIT: u32 = 1;
/// Connections are handed over.
const HAND_OFF: u32 = 2;
/// A thread of the process whose number stands below is asking.
const ASKING: u32 = 1 << 31;

/// No lane has this number: the entry is being cleared.
const CLEARING: u64 = u64::MAX;

/// One lane.
pub(super) struct Entry {
    /// The kernel's number for it; 0 where the entry is free.
    lane: AtomicU64,
    /// That of the shared listening socket.
    cookie: AtomicU64,
    page: AtomicPtr<LanePage>,
    listener: AtomicI32,
    state: AtomicU32,
    /// The last sweep that has found the lane in this process.
    seen: AtomicU32,
    /// The queue was found empty by the last accept under an open credit.
    vain: AtomicBool,
    /// The last queue that was found empty was believed to be the lane's.
    trusted: AtomicBool,
    /// So many connections may be accepted before the queue is looked at again.
    expected: AtomicU32,
}

/// How many have a place without memory being mapped for them.
const FIRST: usize = 16;
/// How many are in each piece of memory that is mapped.
const MORE: usize = 100;
/// How many of those that were found last are found without a search.
const RECENT: usize = 32;

static ENTRIES: [Entry; FIRST] = [const { Entry::free() }; FIRST];
static CHUNKS: AtomicPtr<Chunk> = AtomicPtr::new(core::ptr::null_mut());
static RECENTLY: [AtomicPtr<Entry>; RECENT] = [const { AtomicPtr::new(core::ptr::null_mut()) }; RECENT];

#[repr(C)]
struct Chunk {
    next: AtomicPtr<Self>,
    entries: [Entry; MORE],
}

/// Calls `visit` with each place until it answers.
fn each<T>(mut visit: impl FnMut(&'static Entry) -> Option<T>) -> Option<T> {
    for entry in &ENTRIES {
        if let Some(found) = visit(entry) {
            return Some(found);
        }
    }
    let mut chunk = CHUNKS.load(Ordering::Acquire);
    // SAFETY: null, or mapped by `add_chunk` and never unmapped.
    while let Some(entries) = unsafe { chunk.as_ref() } {
        for entry in &entries.entries {
            if let Some(found) = visit(entry) {
                return Some(found);
            }
        }
        chunk = entries.next.load(Ordering::Acquire);
    }
    None
}

/// The entry of the lane with this number.
pub(super) fn find(lane: u64) -> Option<&'static Entry> {
    let recently = &RECENTLY[lane as usize % RECENT];
    // SAFETY: null, or an entry, which is never taken out of memory.
    if let Some(entry) = unsafe { recently.load(Ordering::Acquire).as_ref() }
        && entry.lane.load(Ordering::Acquire) == lane
    {
        return Some(entry);
    }
    let found = each(|entry| (entry.lane.load(Ordering::Acquire) == lane).then_some(entry))?;
    recently.store(core::ptr::from_ref(found).cast_mut(), Ordering::Release);
    Some(found)
}

/// As [`find`], and makes one where there is none, which counts as seen by sweep `seen`. `None` without memory.
pub(super) fn find_or_add(lane: u64, seen: u32) -> Option<&'static Entry> {
    loop {
        let found = find(lane).or_else(|| each(|entry| entry.take_for(lane, seen).then_some(entry)));
        if found.is_some() {
            return found;
        }
        if !add_chunk() {
            return None;
        }
    }
}

/// Calls `visit` with each entry that is a lane's, and the lane's number.
pub(super) fn each_lane(mut visit: impl FnMut(&'static Entry, u64)) {
    each::<()>(|entry| {
        let lane = entry.lane.load(Ordering::Acquire);
        if lane != 0 && lane != CLEARING {
            visit(entry, lane);
        }
        None
    });
}

/// False without memory.
#[cold]
fn add_chunk() -> bool {
    let Ok(memory) = Memory::map(size_of::<Chunk>()) else { return false };
    let chunk: *mut Chunk = memory.at().cast();
    let first = CHUNKS.load(Ordering::Acquire);
    // SAFETY: mapped with this size, aligned to a page; zeroes are free entries.
    unsafe { (*chunk).next.store(first, Ordering::Relaxed) };
    // If another thread was quicker this memory is given back.
    if CHUNKS.compare_exchange(first, chunk, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
        core::mem::forget(memory);
    }
    true
}

impl Entry {
    const fn free() -> Self {
        Self {
            lane: AtomicU64::new(0),
            cookie: AtomicU64::new(0),
            page: AtomicPtr::new(core::ptr::null_mut()),
            listener: AtomicI32::new(0),
            state: AtomicU32::new(NEW),
            seen: AtomicU32::new(0),
            vain: AtomicBool::new(false),
            trusted: AtomicBool::new(false),
            expected: AtomicU32::new(0),
        }
    }

    /// A connection was accepted under an open credit.
    pub(super) fn found_one(&self) {
        self.vain.store(false, Ordering::Relaxed);
    }

    /// The queue was found empty under an open credit. True if it was not the last time.
    pub(super) fn found_none(&self) -> bool {
        !self.vain.swap(true, Ordering::Relaxed)
    }

    /// Whether an empty queue is believed without asking whose it is: not twice in a row.
    pub(super) fn trusts(&self) -> bool {
        !self.trusted.swap(true, Ordering::Relaxed)
    }

    /// The listening socket is known to be what it was.
    pub(super) fn is_proven(&self) {
        self.trusted.store(false, Ordering::Relaxed);
    }

    /// So many connections waited at the last look. Others take of them too, and an accept that finds none costs ten looks: half
    /// of them are accepted before the next.
    pub(super) fn expect(&self, waiting: u32) {
        self.expected.store(waiting / 2, Ordering::Relaxed);
    }

    /// One of those that are expected to wait is about to be accepted; false if none are. Threads that count at once are
    /// wrong by one, as everybody is whom another process is ahead of.
    pub(super) fn take_expected(&self) -> bool {
        let expected = self.expected.load(Ordering::Relaxed);
        if expected > 0 {
            self.expected.store(expected - 1, Ordering::Relaxed);
        }
        expected > 0
    }

    /// The number of the lane that it is for now.
    pub(super) fn number(&self) -> u64 {
        self.lane.load(Ordering::Acquire)
    }

    fn take_for(&self, lane: u64, seen: u32) -> bool {
        match self.lane.compare_exchange(0, lane, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                self.see(seen);
                true
            }
            // Another thread was quicker with the same one.
            Err(found) => found == lane,
        }
    }

    pub(super) fn see(&self, sweep: u32) {
        self.seen.fetch_max(sweep, Ordering::AcqRel);
    }

    pub(super) fn is_seen(&self, sweep: u32) -> bool {
        self.seen.load(Ordering::Acquire) >= sweep
    }

    /// The page, if connections may be accepted by this lane.
    pub(super) fn page(&self, lane: u64) -> Option<&'static LanePage> {
        if self.state.load(Ordering::Acquire) != CREDIT || self.lane.load(Ordering::Acquire) != lane {
            return None;
        }
        // SAFETY: mapped by `keep_page` and never unmapped, and made of atomics and numbers alone.
        unsafe { self.page.load(Ordering::Acquire).as_ref() }
    }

    /// The listening socket, if the lane has one.
    pub(super) fn listener(&self) -> Option<Listener> {
        (self.state.load(Ordering::Acquire) == CREDIT).then(|| self.kept())
    }

    /// The last one, for the thread that asks again.
    pub(super) fn kept(&self) -> Listener {
        Listener { fd: self.listener.load(Ordering::Acquire), cookie: self.cookie.load(Ordering::Acquire) }
    }

    /// Nobody asks for it, and somebody has.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.state.load(Ordering::Acquire), CREDIT | HAND_OFF)
    }

    /// True if this thread is the one that asks first. What a forked child finds of its parent's asking is nobody's.
    pub(super) fn begin_to_ask(&self) -> bool {
        let mine = ASKING | sys::getpid();
        let found = self.state.load(Ordering::Acquire);
        (found == NEW || found & ASKING != 0 && found != mine)
            && self.state.compare_exchange(found, mine, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// True if this thread is the one that asks for another listening socket.
    pub(super) fn begin_to_ask_again(&self) -> bool {
        let mine = ASKING | sys::getpid();
        self.state.compare_exchange(CREDIT, mine, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// It has been answered: by a listening socket and the page, or by neither.
    pub(super) fn settle(&self, listener: Option<Listener>) {
        if let Some(Listener { fd, cookie }) = listener {
            self.listener.store(fd, Ordering::Release);
            self.cookie.store(cookie, Ordering::Release);
        }
        self.state.store(if listener.is_some() { CREDIT } else { HAND_OFF }, Ordering::Release);
    }

    /// Maps the page, which the supervisor sent, where this entry's last one was if it had one. False if it is none.
    pub(super) fn keep_page(&self, sent: i32) -> bool {
        let at = self.page.load(Ordering::Acquire);
        if at.is_null() {
            let Ok(mapped) = memory::map_shared(sent, SIZE, true) else { return false };
            self.page.store(mapped.cast(), Ordering::Release);
        } else {
            // SAFETY: this entry's own mapping of this size, which nobody needs while the entry is asked for.
            let mapped = unsafe { memory::map_shared_over(at.cast(), sent, SIZE) };
            if mapped.is_err() {
                return false;
            }
        }
        // SAFETY: as in `page`.
        unsafe { self.page.load(Ordering::Acquire).as_ref() }.is_some_and(LanePage::is_begun)
    }

    /// The lane is gone: the entry becomes free. The listening socket, if it has one, is the caller's to close.
    pub(super) fn clear(&self, lane: u64) -> Option<Listener> {
        self.lane.compare_exchange(lane, CLEARING, Ordering::AcqRel, Ordering::Acquire).ok()?;
        let listener = self.listener();
        self.state.store(NEW, Ordering::Release);
        self.vain.store(false, Ordering::Relaxed);
        self.expected.store(0, Ordering::Relaxed);
        let at = self.page.load(Ordering::Acquire);
        if !at.is_null() {
            // SAFETY: this entry's own mapping of this size; who comes late finds zeroes, by which nothing is allowed.
            let _ = unsafe { memory::map_zeroes_over(at.cast(), SIZE) };
        }
        self.lane.store(0, Ordering::Release);
        listener
    }
}

//! The pulse page: memory that a worker's threads write in passing and the supervisor looks at. One page a process, one
//! cache line a thread; unasked, no call, no message and no wake-up on either side.
//!
//! A thread is *waiting* while it is in epoll, poll, select or a blocking accept, and *running* between two waits. A
//! thread that has accepted a connection from a lane, or waits for one there, is *serving*. The reader may ask one of them
//! to *ring*: to say by a message when it goes into its next wait. Times are CLOCK_MONOTONIC_COARSE in nanoseconds: a few
//! milliseconds coarse, and free. The reader trusts nothing that it finds.

mod look;
mod record;
#[cfg(test)]
mod tests;
mod waits;

pub use self::look::{PulseLook, ran_between};
pub use self::record::{ACCEPTED_AT, Record, STATE, STATE_AT, WAITING};
pub use self::waits::{LaneMask, WaitsOn};

use core::sync::atomic::{AtomicU32, Ordering};

const MAGIC: u32 = u32::from_le_bytes(*b"clmH");
/// The layout that this build writes. It reads the first one too, of a process that began before an upgrade: what it finds
/// there for `ran` is less than any time.
pub const LAYOUT: u32 = 2;
/// Threads that have a record of their own; further ones go unseen.
pub const THREADS: usize = 63;
/// Size of the page, in bytes.
pub const SIZE: usize = 4096;
/// The bits that a place of a record in the page may have.
pub const PLACES: u32 = (SIZE - size_of::<Record>()) as u32;

/// The page.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Page {
    magic: AtomicU32,
    layout: AtomicU32,
    pid: AtomicU32,
    /// Threads that wait in accept() and found no record.
    unseen: AtomicU32,
    head: [u32; 12],
    records: [Record; THREADS],
}

impl Page {
    /// The process begins to write.
    pub fn begin(&self, pid: u32) {
        self.layout.store(LAYOUT, Ordering::Relaxed);
        self.pid.store(pid, Ordering::Relaxed);
        self.magic.store(MAGIC, Ordering::Release);
    }

    /// True once a process writes in a layout that this build reads.
    pub fn is_begun(&self) -> bool {
        let layout = self.layout.load(Ordering::Relaxed);
        self.magic.load(Ordering::Acquire) == MAGIC && (1..=LAYOUT).contains(&layout)
    }

    /// Where in the page the record of this thread is, in bytes.
    pub fn place(&self, tid: u32) -> Option<u32> {
        let has = |record: &Record| {
            record.key.load(Ordering::Relaxed) != 0 && record.tid.load(Ordering::Relaxed) == tid
        };
        let at = self.records.iter().position(has)?;
        Some((core::mem::offset_of!(Self, records) + at * size_of::<Record>()) as u32)
    }

    /// The record of the thread with this key; a free one becomes its own, with the tid that `tid` tells.
    pub fn record(&self, key: u64, tid: impl FnOnce() -> u32) -> Option<&Record> {
        let start = (key >> 6).wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize >> 32;
        for step in 0..THREADS {
            let record = &self.records[(start + step) % THREADS];
            match record.key.load(Ordering::Relaxed) {
                found if found == key => return Some(record),
                0 if record.key.compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed).is_ok() => {
                    record.tid.store(tid(), Ordering::Relaxed);
                    return Some(record);
                }
                _ => {}
            }
        }
        None
    }

    /// As [`Page::record`], for a thread that serves: where none is free it takes over one of a thread that does not.
    pub fn serving_record(&self, key: u64, tid: impl Fn() -> u32) -> Option<&Record> {
        self.record(key, &tid).or_else(|| {
            self.records.iter().find(|record| {
                let owner = record.key.load(Ordering::Relaxed);
                let idle = record.serving.load(Ordering::Relaxed) == 0;
                let taken = idle
                    && record.key.compare_exchange(owner, key, Ordering::Relaxed, Ordering::Relaxed).is_ok();
                if taken {
                    record.begin_anew(tid());
                }
                taken
            })
        })
    }

    /// A thread without a record goes into an accept() that may be its wait.
    pub fn enter_unseen(&self) {
        self.unseen.fetch_add(1, Ordering::Relaxed);
    }

    /// It comes out of it.
    pub fn leave_unseen(&self) {
        self.unseen.fetch_sub(1, Ordering::Relaxed);
    }

    /// Some thread that has no record waits in accept().
    pub fn has_unseen(&self) -> bool {
        self.unseen.load(Ordering::Relaxed) != 0
    }

    /// The records of threads that have ended become free; `has_ended` tells by tid. One that shows a wait stays: it may be
    /// that of a later thread, which came by the same thread pointer and has kept the tid that stood there. If such a
    /// one is freed while it runs, the thread gets another at its next wait. True if any was freed.
    pub fn free_ended(&self, has_ended: impl Fn(u32) -> bool) -> bool {
        let mut any = false;
        for record in &self.records {
            let key = record.key.load(Ordering::Relaxed);
            let tid = record.tid.load(Ordering::Relaxed);
            let waits = record.state.load(Ordering::Acquire) & STATE == WAITING;
            if key != 0 && tid != 0 && !waits && has_ended(tid) {
                record.begin_anew(0);
                any |= record.key.compare_exchange(key, 0, Ordering::Release, Ordering::Relaxed).is_ok();
            }
        }
        any
    }

    /// The thread serves too: it waits for connections, though it has not come to accept one. The reader says so.
    pub fn serves(&self, tid: u32) {
        let found = self.records.iter().find(|record| {
            record.key.load(Ordering::Relaxed) != 0 && record.tid.load(Ordering::Relaxed) == tid
        });
        if let Some(record) = found {
            record.serving.store(1, Ordering::Relaxed);
        }
    }

    /// The thread is asked to say by its descriptor `lane` when it next goes into a wait.
    pub fn ask(&self, tid: u32, lane: u32) {
        let serves = |record: &&Record| {
            record.serving.load(Ordering::Relaxed) != 0 && record.tid.load(Ordering::Relaxed) == tid
        };
        if let Some(record) = self.records.iter().find(serves) {
            record.bell.store(lane.wrapping_add(1), Ordering::Release);
        }
    }

    /// Every thread that has a record, as it is now.
    pub fn looks(&self) -> impl Iterator<Item = PulseLook> + '_ {
        self.records.iter().filter_map(Record::look)
    }

    /// The longest run of any serving thread that ended since this was last asked, in nanoseconds.
    pub fn take_worst(&self) -> u64 {
        let serving = |record: &&Record| record.serving.load(Ordering::Relaxed) != 0;
        self.records
            .iter()
            .filter(serving)
            .map(|record| record.worst.swap(0, Ordering::Relaxed))
            .max()
            .unwrap_or(0)
    }
}

//! The part of a lane's page by which a worker's own wait may watch the shared listening socket itself while it has an open credit:
//! how the lane is registered in the epoll set by which its thread waits, and that it does so. It gives no right to accept.
//!
//! The supervisor finds the registration in /proc and tells it. The worker counts each change that the program makes to it, before
//! and after, so that what was read before a change is not used after it.

use super::Line;
use super::sync::{AtomicU32, AtomicU64, Ordering, fence};

/// How a lane stands in an epoll set: what the program is to be told when a connection waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The number of the set.
    pub set: u32,
    /// The events that the program asks for, and its flags.
    pub events: u32,
    /// What the program keeps there, and gets back with each event.
    pub data: u64,
}

/// That part of the page.
#[derive(Debug)]
#[repr(C)]
pub struct Direct {
    told: Line<Told>,
    /// How often the program has changed registrations of the lane, counted before and after each change.
    changes: Line<AtomicU32>,
    watch: Line<Watch>,
}

/// What the supervisor writes.
#[derive(Debug)]
#[repr(C)]
struct Told {
    /// How many registrations were told, above one more than the count of changes at which this one was read; 0 while it is
    /// written and before the first.
    version: AtomicU64,
    data: AtomicU64,
    set: AtomicU32,
    events: AtomicU32,
    /// The worker accepts one connection for each time that its wait tells of some.
    one_each: AtomicU32,
}

/// What the worker writes.
#[derive(Debug)]
#[repr(C)]
struct Watch {
    /// The generation of the open credit under which it watches; 0 for none.
    generation: AtomicU64,
    /// How often it has found the queue empty meanwhile.
    empty: AtomicU64,
    /// The number of the epoll set by which it does so, plus one.
    own: AtomicU32,
}

impl Direct {
    // The worker's side.

    /// The registration that is known, with a version that tells it from every other; `None` if none is, or it has changed since.
    pub fn registration(&self) -> Option<(Registration, u64)> {
        let told = &self.told.0;
        let version = told.version.load(Ordering::Acquire);
        let registration = Registration {
            set: told.set.load(Ordering::Relaxed),
            events: told.events.load(Ordering::Relaxed),
            data: told.data.load(Ordering::Relaxed),
        };
        fence(Ordering::Acquire);
        self.holds(version).then_some((registration, version))
    }

    /// The registration of that version is the last one, and the program has not changed it.
    pub fn holds(&self, version: u64) -> bool {
        version != 0
            && self.told.0.version.load(Ordering::Relaxed) == version
            && version as u32 == self.changes.0.load(Ordering::SeqCst).wrapping_add(1)
    }

    /// While it watches the listening socket the thread is to accept one connection in each round of its wait, and then to wait behind the
    /// others; else as many as it likes.
    pub fn is_one_each(&self) -> bool {
        self.told.0.one_each.load(Ordering::Relaxed) != 0
    }

    /// The program is about to change a registration of the lane, or has just done so.
    pub fn changes(&self) {
        self.changes.0.fetch_add(1, Ordering::SeqCst);
    }

    /// The thread's wait watches the listening socket from now on, by the open credit of this generation, whose record it has taken off;
    /// 0 for no longer. `own` is the number of the set by which it does so, plus one.
    pub fn watch(&self, generation: u64, own: u32) {
        self.watch.0.own.store(own, Ordering::Relaxed);
        self.watch.0.generation.store(generation, Ordering::SeqCst);
    }

    /// It has found the queue empty.
    pub fn count_empty(&self) {
        self.watch.0.empty.fetch_add(1, Ordering::Relaxed);
    }

    // The supervisor's side.

    /// How often the program has changed registrations: to be read before one is looked for.
    pub fn changed(&self) -> u32 {
        self.changes.0.load(Ordering::SeqCst)
    }

    /// The registration as it was found, and the count of changes before that; or that there is none to be told.
    pub fn tell(&self, registration: Option<Registration>, changes: u32, nth: u32) {
        let told = &self.told.0;
        told.version.store(0, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let Some(Registration { set, events, data }) = registration else { return };
        told.set.store(set, Ordering::Relaxed);
        told.events.store(events, Ordering::Relaxed);
        told.data.store(data, Ordering::Relaxed);
        let version = u64::from(nth) << 32 | u64::from(changes.wrapping_add(1));
        told.version.store(version, Ordering::Release);
    }

    /// Whether the worker is to accept one connection in each round. It gives and takes no right.
    pub fn set_one_each(&self, on: bool) {
        self.told.0.one_each.store(on.into(), Ordering::Relaxed);
    }

    /// The generation under which a wait watches the listening socket.
    pub fn watched(&self) -> u64 {
        self.watch.0.generation.load(Ordering::SeqCst)
    }

    /// The library's own epoll set in the worker.
    pub fn own_set(&self) -> Option<u32> {
        self.watch.0.own.load(Ordering::Relaxed).checked_sub(1)
    }

    /// How often the queue was found empty meanwhile.
    pub fn empty(&self) -> u64 {
        self.watch.0.empty.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
impl Direct {
    /// As the memory is before anybody has written to it.
    pub(super) fn blank() -> Self {
        let (long, short) = (|| AtomicU64::new(0), || AtomicU32::new(0));
        let told = Told { version: long(), data: long(), set: short(), events: short(), one_each: short() };
        let watch = Watch { generation: long(), empty: long(), own: short() };
        Self { told: Line(told), changes: Line(short()), watch: Line(watch) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_registration_holds_until_it_changes_or_another_is_told() {
        let direct = Direct::blank();
        assert_eq!(direct.registration(), None);
        let first = Registration { set: 5, events: 1, data: 1 << 40 };
        direct.tell(Some(first), direct.changed(), 1);
        let (found, version) = direct.registration().unwrap();
        assert_eq!(found, first);
        // The same once more is another: what was read in between may be of either.
        direct.tell(Some(first), direct.changed(), 2);
        assert!(!direct.holds(version));
        let before = direct.changed();
        direct.changes();
        assert_eq!(direct.registration(), None);
        direct.tell(Some(first), before, 3);
        assert_eq!(direct.registration(), None, "it was read before the change");
        direct.changes();
        direct.tell(Some(first), direct.changed(), 4);
        assert!(direct.registration().is_some());
        direct.tell(None, direct.changed(), 5);
        assert_eq!(direct.registration(), None);
    }

    #[test]
    fn the_count_of_changes_wraps_around() {
        let direct = Direct::blank();
        direct.changes.0.store(u32::MAX, Ordering::SeqCst);
        direct.tell(Some(Registration { set: 0, events: 1, data: 0 }), direct.changed(), 1);
        assert!(direct.registration().is_some());
    }
}

//! Which lane a descriptor was when the kernel was last asked: a guess by its number, which is not told of dup2() and close(). It
//! is good for finding out that nothing may be accepted, and proves nothing.

use super::table::Entry;
use core::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

/// Descriptors that are remembered; two that are so far apart push each other out.
const ROOM: usize = 32;

struct Guess {
    fd: AtomicI32,
    entry: AtomicPtr<Entry>,
}

static GUESSES: [Guess; ROOM] =
    [const { Guess { fd: AtomicI32::new(-1), entry: AtomicPtr::new(core::ptr::null_mut()) } }; ROOM];

fn place(fd: i32) -> &'static Guess {
    &GUESSES[fd as u32 as usize % ROOM]
}

/// The entry of the lane that this descriptor was. While another thread writes it may be any other's.
pub(super) fn of(fd: i32) -> Option<&'static Entry> {
    let guess = place(fd);
    if guess.fd.load(Ordering::Relaxed) != fd {
        return None;
    }
    // SAFETY: null, or an entry, which is never taken out of memory.
    unsafe { guess.entry.load(Ordering::Acquire).as_ref() }
}

/// The kernel has said what this descriptor is: the lane of this entry, or none that has one.
pub(super) fn learn(fd: i32, found: Option<&'static Entry>) {
    let guess = place(fd);
    let entry = found.map_or(core::ptr::null_mut(), |entry| core::ptr::from_ref(entry).cast_mut());
    // Mostly it is known already, and threads read here all the time.
    if guess.entry.load(Ordering::Relaxed) != entry {
        guess.entry.store(entry, Ordering::Release);
    }
    if guess.fd.load(Ordering::Relaxed) != fd {
        guess.fd.store(fd, Ordering::Relaxed);
    }
}

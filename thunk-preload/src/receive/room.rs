//! Room in this process's table of descriptors for one more connection. A connection that finds none would be lost with its
//! record, so where there is little room the threads take turns to look at a record, keep what came with it, and receive it.

use crate::kernel::abi::*;
use crate::kernel::sys;
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

/// Descriptors so near to the limit are counted with care.
const MARGIN: u64 = 64;
/// How often the limit is read, in accepts: programs lower it rarely, and then mostly before they serve.
const READ_EVERY: u32 = 64;
/// How long a thread waits for another's turn, in milliseconds. A turn is two system calls that do not block.
const PATIENCE: i64 = 100;

/// The limit as last read; 0 is not known.
static LIMIT: AtomicU64 = AtomicU64::new(0);
/// The number that the kernel found for the last connection that was accepted: the lowest free one.
static LAST: AtomicI32 = AtomicI32::new(0);
static LOOKS: AtomicU32 = AtomicU32::new(0);
/// The process whose thread has the turn; 0 is nobody. A forked child takes over what its parent left.
static TURN: AtomicU32 = AtomicU32::new(0);

/// How much there is.
pub(crate) enum Room {
    Plenty,
    /// So little, or it is not known how little, that another thread may take it first.
    Little,
    None,
}

/// Tries for a descriptor: the table may have been filled by anything that the program does. accept(2) too says EMFILE
/// before it looks whether anybody waits.
pub(crate) fn look(lane: i32) -> Room {
    let free = match sys::fcntl(lane, F_DUPFD_CLOEXEC, 0) {
        Ok(free) => free,
        Err(EMFILE) => return Room::None,
        // Closed since it was last seen, which the receiving will say; or the program has forbidden itself this call.
        Err(_) => return Room::Little,
    };
    sys::close(free);
    if is_far_from(free, limit()) || is_far_from(free, read_limit()) { Room::Plenty } else { Room::Little }
}

/// A connection got this number.
pub(crate) fn note(connection: i32) {
    LAST.store(connection, Ordering::Relaxed);
}

/// Whether there was plenty when the last connection was accepted. It costs no look.
pub(crate) fn was_plenty() -> bool {
    let last = LAST.load(Ordering::Relaxed);
    is_far_from(last, limit()) || is_far_from(last, read_limit())
}

fn is_far_from(free: i32, limit: u64) -> bool {
    free as u64 + MARGIN < limit
}

fn limit() -> u64 {
    // Threads that count at once lose a look.
    let looks = LOOKS.load(Ordering::Relaxed);
    LOOKS.store(looks.wrapping_add(1), Ordering::Relaxed);
    match LIMIT.load(Ordering::Relaxed) {
        known @ 1.. if !looks.is_multiple_of(READ_EVERY) => known,
        _ => read_limit(),
    }
}

fn read_limit() -> u64 {
    // Where it is not told, no descriptor is far from it.
    let limit = sys::descriptor_limit().unwrap_or(0);
    LIMIT.store(limit, Ordering::Relaxed);
    limit
}

/// Runs `act`, which must not block, while no other thread of this process does. One that has stopped amid its turn
/// does not keep the others for ever.
pub(crate) fn in_turn<T>(act: impl FnOnce() -> T) -> T {
    let me = sys::getpid();
    let deadline = sys::now() + PATIENCE;
    loop {
        let owner = TURN.load(Ordering::Relaxed);
        let is_free = owner != me;
        if is_free && TURN.compare_exchange(owner, me, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            break;
        }
        if !is_free && sys::now() >= deadline {
            return act();
        }
        sys::pause();
    }
    let done = act();
    TURN.store(0, Ordering::Release);
    done
}

//! What an fd is: recognises the worker's end of a lane by its name. The bitmap of fd numbers is only a hint, which
//! heals itself; no decision rests on it alone.

use crate::kernel::sys;
use crate::supervisor::settings::remembered;
use clustermon_protocol::address::MAX;
use clustermon_protocol::identity::{Identity, Parsed};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const WORDS: usize = 1024;
static HINTS: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];
static ANY: AtomicBool = AtomicBool::new(false);

#[inline]
fn bit(fd: i32) -> Option<(&'static AtomicU64, u64)> {
    // A negative number becomes one beyond the table.
    let fd = fd as u32 as usize;
    Some((HINTS.get(fd / 64)?, 1 << (fd % 64)))
}

/// True if this process has met a lane: the waits of other programs are left alone.
pub(crate) fn any() -> bool {
    ANY.load(Ordering::Relaxed)
}

/// True if the fd was a lane when last seen.
#[inline]
pub(crate) fn hinted(fd: i32) -> bool {
    bit(fd).is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
}

/// Calls `visit` with each number below `count` that was a lane when last seen.
pub(crate) fn each_hinted(count: usize, mut visit: impl FnMut(i32)) {
    for (place, word) in HINTS.iter().enumerate().take(count.div_ceil(64)) {
        let mut bits = word.load(Ordering::Relaxed);
        while bits != 0 {
            let fd = place * 64 + bits.trailing_zeros() as usize;
            if fd < count {
                visit(fd as i32);
            }
            bits &= bits - 1;
        }
    }
}

/// False if the fd was no lane when last seen; of numbers beyond the hints nothing is known.
pub(crate) fn may_be(fd: i32) -> bool {
    bit(fd).is_none_or(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
}

/// The fd is a lane.
pub(crate) fn hint(fd: i32) {
    ANY.store(true, Ordering::Relaxed);
    if let Some((word, bit)) = bit(fd) {
        word.fetch_or(bit, Ordering::Relaxed);
    }
}

/// The fd has just been made, and is no lane; its number may have been one.
pub(crate) fn is_new(fd: i32) {
    if hinted(fd) {
        unhint(fd);
    }
}

/// The fd is something else now.
pub(crate) fn unhint(fd: i32) {
    if let Some((word, bit)) = bit(fd) {
        word.fetch_and(!bit, Ordering::Relaxed);
    }
}

/// What the fd stands for, if it is a lane; asks the kernel and sets the hint right.
///
/// A lane of another cluster is none: a supervisor that is itself a worker makes lanes, and asks about them as about any socket.
pub(crate) fn recognise(fd: i32) -> Option<Identity> {
    let found = identity(fd).filter(|it| remembered::nonce().is_none_or(|ours| it.nonce == ours));
    match found {
        Some(_) => hint(fd),
        None => unhint(fd),
    }
    found
}

fn identity(fd: i32) -> Option<Identity> {
    let mut own = [0; MAX];
    let len = sys::getsockname(fd, &mut own).ok()?;
    match Identity::parse(&own[..len])? {
        Parsed::Whole(identity) => Some(identity),
        Parsed::Partial => {
            let mut peer = [0; MAX];
            let peer_len = sys::getpeername(fd, &mut peer).ok()?;
            Identity::complete(&own[..len], &peer[..peer_len])
        }
    }
}

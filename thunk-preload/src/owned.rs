//! Sockets whose bind() succeeded in name only, because the cluster owns the address: a hint that spares everybody else
//! the question. The supervisor's memory decides.

use crate::abi::{SO_COOKIE, SOL_SOCKET};
use crate::sys;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const ROOM: usize = 32;
static COOKIES: [AtomicU64; ROOM] = [const { AtomicU64::new(0) }; ROOM];
static OVERFLOW: AtomicBool = AtomicBool::new(false);
static ANY: AtomicBool = AtomicBool::new(false);

/// The kernel's number for a socket, unique while the machine runs.
pub(crate) fn cookie(fd: i32) -> Option<u64> {
    let mut value = [0; 8];
    sys::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &mut value).ok()?;
    Some(u64::from_ne_bytes(value))
}

/// Remembers the socket.
pub(crate) fn remember(cookie: u64) {
    ANY.store(true, Ordering::Relaxed);
    for place in &COOKIES {
        if place.compare_exchange(0, cookie, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return;
        }
    }
    OVERFLOW.store(true, Ordering::Relaxed);
}

/// It listens now, or was told EADDRINUSE after all.
pub(crate) fn forget(cookie: u64) {
    for place in &COOKIES {
        let _ = place.compare_exchange(cookie, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// The cookie of the socket if it may be owned.
pub(crate) fn may_be(fd: i32) -> Option<u64> {
    if !ANY.load(Ordering::Relaxed) {
        return None;
    }
    let cookie = cookie(fd)?;
    let known = OVERFLOW.load(Ordering::Relaxed)
        || COOKIES.iter().any(|place| place.load(Ordering::Relaxed) == cookie);
    known.then_some(cookie)
}

//! Sockets whose bind() was not what the program took it for: in name only, because the cluster owns the address, or yet
//! without the port that the cluster has for it, or with a port that tells nothing. A hint that spares everybody else a question; the supervisor's memory and
//! the kernel decide.

use crate::abi::{SO_COOKIE, SOL_SOCKET};
use crate::sys;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const ROOM: usize = 32;

/// Some sockets, by the kernel's number for them.
pub(crate) struct Sockets {
    cookies: [AtomicU64; ROOM],
    overflow: AtomicBool,
    any: AtomicBool,
}

/// Bound in name only.
pub(crate) static OWNED: Sockets = Sockets::new();
/// Bound to port 0, which they have not got yet.
pub(crate) static PORTLESS: Sockets = Sockets::new();
/// Bound to port 0, and the port that they have got is the cluster's: they are shared whatever the rules say of that port.
pub(crate) static CLUSTER_PORT: Sockets = Sockets::new();
/// Bound to port 0, and the port that they have got is this process's own.
pub(crate) static OWN_PORT: Sockets = Sockets::new();

/// The kernel's number for a socket, unique while the machine runs.
pub(crate) fn cookie(fd: i32) -> Option<u64> {
    let mut value = [0; 8];
    sys::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &mut value).ok()?;
    Some(u64::from_ne_bytes(value))
}

impl Sockets {
    const fn new() -> Self {
        Self {
            cookies: [const { AtomicU64::new(0) }; ROOM],
            overflow: AtomicBool::new(false),
            any: AtomicBool::new(false),
        }
    }

    /// Remembers the socket.
    pub(crate) fn remember(&self, cookie: u64) {
        self.any.store(true, Ordering::Relaxed);
        for place in &self.cookies {
            if place.compare_exchange(0, cookie, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return;
            }
        }
        self.overflow.store(true, Ordering::Relaxed);
    }

    /// It is an ordinary one now.
    pub(crate) fn forget(&self, cookie: u64) {
        for place in &self.cookies {
            let _ = place.compare_exchange(cookie, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// The cookie of the socket if it may be one of them: there were more than can be remembered.
    pub(crate) fn may_have(&self, fd: i32) -> Option<u64> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let cookie = cookie(fd)?;
        (self.overflow.load(Ordering::Relaxed) || self.remembers(cookie)).then_some(cookie)
    }

    /// The cookie of the socket if it is one of them and is remembered.
    pub(crate) fn has(&self, fd: i32) -> Option<u64> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        cookie(fd).filter(|cookie| self.remembers(*cookie))
    }

    fn remembers(&self, cookie: u64) -> bool {
        self.cookies.iter().any(|place| place.load(Ordering::Relaxed) == cookie)
    }
}

//! Sockets of this process that bind() has left in another state than the program believes: some are not bound in the kernel at
//! all, because the supervisor has their address; some have no port yet; some have one whose number does not tell whether it is
//! shared. The lists only save system calls and questions for all other sockets: the supervisor and the kernel decide.

use crate::kernel::abi::{SO_COOKIE, SOL_SOCKET};
use crate::kernel::sys;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const ROOM: usize = 32;

/// A list of sockets, by their cookies, which are the kernel's numbers for them.
pub(crate) struct Sockets {
    cookies: [AtomicU64; ROOM],
    overflow: AtomicBool,
    any: AtomicBool,
}

/// Bound in name only: bind() returned 0 and the kernel was not asked, because the supervisor listens on the address.
pub(crate) static OWNED: Sockets = Sockets::new();
/// Bound to port 0, and no port is chosen yet: that happens at listen(), connect() or getsockname().
pub(crate) static PORTLESS: Sockets = Sockets::new();
/// Bound to port 0, and the supervisor has chosen the port: they are shared, whatever the rules say about this port.
pub(crate) static CLUSTER_PORT: Sockets = Sockets::new();
/// Bound to port 0, and the port was chosen for this process alone: they are not shared.
pub(crate) static OWN_PORT: Sockets = Sockets::new();

/// The kernel's number for a socket; no other socket gets the same until the machine is started again.
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

    /// Adds the socket. If the list is full, every socket may be in it from then on.
    pub(crate) fn remember(&self, cookie: u64) {
        self.any.store(true, Ordering::Relaxed);
        for place in &self.cookies {
            if place.compare_exchange(0, cookie, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return;
            }
        }
        self.overflow.store(true, Ordering::Relaxed);
    }

    /// Removes the socket: bind() and the program agree about it now.
    pub(crate) fn forget(&self, cookie: u64) {
        for place in &self.cookies {
            let _ = place.compare_exchange(cookie, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// The cookie of the socket if it is in the list, or may be because the list was full at some time.
    pub(crate) fn may_have(&self, fd: i32) -> Option<u64> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let cookie = cookie(fd)?;
        (self.overflow.load(Ordering::Relaxed) || self.remembers(cookie)).then_some(cookie)
    }

    /// The cookie of the socket if it is in the list.
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

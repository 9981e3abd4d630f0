//! Listening sockets that stay the program's own, because the kernel chooses among those of the workers. By the numbers of their descriptors
//! it is known whose accepts are to be seen in the pulse page; nothing else depends on it, so that a number that stands for something else by
//! now does no harm.

use crate::kernel::abi::{F_GETFL, O_NONBLOCK};
use crate::kernel::sys;
use crate::pulse;
use core::ffi::c_int;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Numbers that there is room for; what is accepted by others is not seen.
const NUMBERS: usize = 4096;

/// Those of descriptors of one kind.
pub(crate) struct Numbers {
    words: [AtomicU64; NUMBERS / 64],
    any: AtomicBool,
}

static MEMBERS: Numbers = Numbers::new();
/// UDP sockets that are shared: of these it is told when they are connected.
pub(crate) static DATAGRAMS: Numbers = Numbers::new();

impl Numbers {
    const fn new() -> Self {
        Self { words: [const { AtomicU64::new(0) }; NUMBERS / 64], any: AtomicBool::new(false) }
    }

    fn bit(&self, fd: c_int) -> Option<(&AtomicU64, u64)> {
        let fd = usize::try_from(fd).ok()?;
        Some((self.words.get(fd / 64)?, 1 << (fd % 64)))
    }

    pub(crate) fn add(&self, fd: c_int) {
        self.any.store(true, Ordering::Relaxed);
        if let Some((word, bit)) = self.bit(fd) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(crate) fn has(&self, fd: c_int) -> bool {
        self.any.load(Ordering::Relaxed)
            && self.bit(fd).is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    pub(crate) fn remove(&self, fd: c_int) {
        if let Some((word, bit)) = self.bit(fd) {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
    }
}

/// The descriptor is one.
pub(crate) fn own(fd: c_int) {
    MEMBERS.add(fd);
}

/// It was one when last seen.
#[inline]
pub(crate) fn is(fd: c_int) -> bool {
    MEMBERS.has(fd)
}

/// The number has just been given to a connection.
pub(crate) fn is_new(fd: c_int) {
    if is(fd) {
        MEMBERS.remove(fd);
    }
}

/// Accepts by the kernel's call, and lets the supervisor see that in passing.
pub(crate) fn accept(fd: c_int, kernel: impl Fn() -> c_int) -> c_int {
    let blocks = || sys::fcntl(fd, F_GETFL, 0).is_ok_and(|flags| flags & O_NONBLOCK == 0);
    let entered = pulse::enter_accept(fd, blocks);
    let accepted = kernel();
    pulse::leave_accept(entered);
    if accepted >= 0 {
        pulse::accepted();
    }
    accepted
}

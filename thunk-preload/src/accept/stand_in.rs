//! The shared listening socket in the place of a lane whose supervisor is gone: the program goes on as on any shared socket. Its
//! status flags and timeouts belong to every process that has it: whether the lane blocked, and for how long, is remembered here,
//! and of the flags O_NONBLOCK alone is written, where somebody has cleared it.

use crate::credit;
use crate::kernel::abi::*;
use crate::kernel::sys;
use crate::lanes::{lane, swap};
use crate::log::tell;
use crate::real;
use crate::real::call::Call;
use crate::receive::record::blocking;
use crate::sockets::owned::cookie;
use core::ffi::c_int;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// How many listening sockets are remembered. A lane of a further one gets a socket on which nothing happens.
const ROOM: usize = 64;

static PLACES: [Place; ROOM] = [const { Place::free() }; ROOM];
static ANY: AtomicBool = AtomicBool::new(false);

/// One that stands in, by the kernel's number for it: the program may copy the descriptor.
struct Place {
    cookie: AtomicU64,
    blocks: AtomicBool,
    /// In milliseconds; 0 is for ever.
    timeout: AtomicI64,
}

impl Place {
    const fn free() -> Self {
        Self { cookie: AtomicU64::new(0), blocks: AtomicBool::new(false), timeout: AtomicI64::new(0) }
    }
}

/// How accept() on one is to wait.
pub(crate) struct StandIn {
    blocks: bool,
    timeout: i64,
}

/// How to accept from `fd`, if it stands in for a lane. One load where none does.
pub(crate) fn of(fd: c_int) -> Option<StandIn> {
    if !ANY.load(Ordering::Acquire) {
        return None;
    }
    let number = cookie(fd)?;
    let place = PLACES.iter().find(|place| place.cookie.load(Ordering::Acquire) == number)?;
    Some(StandIn {
        blocks: place.blocks.load(Ordering::Relaxed),
        timeout: place.timeout.load(Ordering::Relaxed),
    })
}

/// Puts the shared listening socket in the place of the lane `fd`. False if this process has none for it.
#[cold]
#[inline(never)]
pub(crate) fn put(fd: c_int) -> bool {
    let Some((number, listener)) = cookie(fd).zip(credit::listener(fd)) else { return false };
    if !remember(listener.cookie, blocking(fd), timeout(fd)) {
        return false;
    }
    if swap::replace_dead_by_shared(fd, listener.fd).is_err() {
        return false;
    }
    lane::hint(fd);
    // The program's own descriptors hold it from now on, so that it ends when they are closed.
    credit::forget_lane(number);
    tell!("descriptor {fd}: the shared listening socket itself, for the supervisor is gone");
    true
}

fn remember(number: u64, blocks: bool, timeout: i64) -> bool {
    let found = PLACES.iter().find(|place| {
        let taken = place.cookie.compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire);
        taken.is_ok() || taken == Err(number)
    });
    let Some(place) = found else { return false };
    place.blocks.store(blocks, Ordering::Relaxed);
    place.timeout.store(timeout, Ordering::Relaxed);
    ANY.store(true, Ordering::Release);
    true
}

fn timeout(fd: c_int) -> i64 {
    let mut time = [0; 16];
    if sys::getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &mut time) != Ok(time.len()) {
        return 0;
    }
    let (seconds, micros) = time.split_at(8);
    let number = |bytes: &[u8]| bytes.try_into().map_or(0, i64::from_ne_bytes);
    // What is not nothing is at least a millisecond.
    number(seconds).saturating_mul(1_000).saturating_add((number(micros) + 999) / 1_000)
}

impl StandIn {
    /// accept() and accept4(): waits as the lane did, though the socket does not block.
    ///
    /// # Safety
    /// As for [`Call::make_on`].
    pub(crate) unsafe fn accept(&self, fd: c_int, call: &Call) -> c_int {
        let deadline = if self.timeout == 0 { i64::MAX } else { sys::now().saturating_add(self.timeout) };
        loop {
            credit::keep_nonblocking(fd);
            // SAFETY: passed on to the caller.
            match unsafe { call.make_on(fd) } {
                Ok(connection) => return connection,
                Err(EAGAIN) if self.blocks => {}
                Err(error) => return real::fail(error),
            }
            let left =
                if self.timeout == 0 { -1 } else { (deadline - sys::now()).clamp(0, i64::from(i32::MAX)) };
            let mut look = [PollFd { fd, events: POLLIN, revents: 0 }];
            // It blocks, so it goes through the C library.
            // SAFETY: one descriptor, in this frame.
            match unsafe { real::poll(look.as_mut_ptr(), 1, left as c_int) } {
                0 => return real::fail(EAGAIN),
                1.. => {}
                // A signal: accept() of the program's would have ended by it too, unless its handler asks for a restart.
                _ => return -1,
            }
        }
    }
}

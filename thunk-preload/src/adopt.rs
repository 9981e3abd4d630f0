//! A lane that this process did not get by listening but by descent, as the children of a preforking server do: at the
//! first accept it asks for one of its own. Where it gets none it goes on with the one that it shares.

use crate::log::tell;
use crate::settings::Settings;
use crate::{lane, link, pulse, swap, sys};
use clustermon_protocol::message::{Reply, Request};
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

/// Nobody has asked.
const OPEN: u8 = 0;
/// A thread is asking.
const ASKING: u8 = 1;
/// It is this process's own, or stays shared.
const SETTLED: u8 = 2;

/// How many fd numbers there are states for; a lane beyond stays shared.
const NUMBERS: usize = 4096;
/// How long a thread waits for another that asks, in milliseconds.
const PATIENCE: i64 = 1_000;

/// A state for each fd number. The kernel clears them in a forked child, which so knows what it has only inherited.
static STATES: AtomicPtr<AtomicU8> = AtomicPtr::new(core::ptr::null_mut());

/// The fd is a lane that this process got by listening.
pub(crate) fn own(fd: i32) {
    if let Some(state) = state(fd) {
        state.store(SETTLED, Ordering::Release);
    }
}

/// Before an accept on a lane: two loads once it is settled.
pub(crate) fn at_accept(fd: i32) {
    if let Some(state) = state(fd)
        && state.load(Ordering::Acquire) != SETTLED
    {
        settle(fd, state);
    }
}

fn state(fd: i32) -> Option<&'static AtomicU8> {
    let at = usize::try_from(fd).ok().filter(|at| *at < NUMBERS)?;
    let mut states = STATES.load(Ordering::Acquire);
    if states.is_null() {
        states = map()?;
    }
    // SAFETY: a page of zeroes, mapped by `map` and never unmapped; any byte is a valid state.
    Some(unsafe { &*states.add(at) })
}

#[cold]
fn map() -> Option<*mut AtomicU8> {
    let states: *mut AtomicU8 = sys::map_wiped_on_fork().ok()?.cast();
    let none = core::ptr::null_mut();
    match STATES.compare_exchange(none, states, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Some(states),
        // Another thread was quicker. This page is one too many, once.
        Err(other) => Some(other),
    }
}

#[cold]
#[inline(never)]
fn settle(fd: i32, state: &AtomicU8) {
    if state.compare_exchange(OPEN, ASKING, Ordering::AcqRel, Ordering::Acquire).is_ok() {
        match ask(fd) {
            Some(lane) => tell!("accept({fd}): by lane {lane}, this process's own, from now on"),
            None => tell!("accept({fd}): by the lane that it came by"),
        }
        state.store(SETTLED, Ordering::Release);
        return;
    }
    // It must not block in what the other is about to replace. A signal handler of the asking thread gives up in time.
    let deadline = sys::now() + PATIENCE;
    while state.load(Ordering::Acquire) == ASKING && sys::now() < deadline {
        let _ = sys::poll(&mut [], 1);
    }
}

/// The lane that it got.
fn ask(fd: i32) -> Option<u64> {
    let identity = lane::recognise(fd)?;
    let settings = Settings::read()?;
    if swap::is_watched_with_parent(fd) {
        return None;
    }
    let flags = swap::flags(fd);
    let mut answer = link::ask(&settings, &Request::Adopt { lane: identity.lane, fd }, None)?;
    let end = answer.take_fd()?;
    let Some(Reply::Lane { lane }) = answer.reply() else {
        sys::close(end);
        return None;
    };
    swap::replace(fd, end, flags).ok()?;
    pulse::attach();
    Some(lane)
}

//! A wait on an epoll set one of whose lanes has its listening socket watched: waits on the set and these sockets together, and tells the
//! program of its lane when a connection waits. Whatever does not fit is left to the program's own call.

use super::direct::{self, LANES, Lane, Phase, SET, Watched};
use crate::kernel::abi::*;
use crate::real;
use core::ffi::c_int;

/// For how long a wait lasts.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    None,
    Nanoseconds(u64),
}

/// Waits in the program's place; `None` if the set is none of those. `call` is its own call with another set and room for so many
/// events, for the same time or for so many milliseconds.
///
/// # Safety
/// `events` is the program's: writable for `max` of them.
#[inline]
pub(crate) unsafe fn wait(
    set: c_int,
    events: *mut EpollEvent,
    max: c_int,
    limit: Limit,
    call: impl Fn(c_int, *mut EpollEvent, c_int, Option<c_int>) -> c_int,
) -> Option<c_int> {
    let watched = direct::by_set(set)?;
    // SAFETY: passed on to the caller.
    unsafe { Wait { watched, set, events, max }.wait(limit, call) }
}

struct Wait {
    watched: &'static Watched,
    set: c_int,
    events: *mut EpollEvent,
    max: c_int,
}

impl Wait {
    /// # Safety
    /// As for [`wait`].
    #[inline(never)]
    unsafe fn wait(
        &self,
        limit: Limit,
        call: impl Fn(c_int, *mut EpollEvent, c_int, Option<c_int>) -> c_int,
    ) -> Option<c_int> {
        if self.max < 2 || self.events.is_null() {
            self.watched.end_all();
            return None;
        }
        // It only looks in between, and has yet to come to what it was told of.
        if matches!(limit, Limit::Nanoseconds(0)) && self.watched.lanes().any(Lane::is_told) {
            return None;
        }
        let begun = match limit {
            Limit::Nanoseconds(1..) => real::coarse_now(),
            Limit::Nanoseconds(0) | Limit::None => 0,
        };
        let mut left = None;
        loop {
            let (mut lanes, mut taken, mut served) = (0, 0, 0);
            for lane in self.watched.lanes() {
                // Who was told and did not come is not interested, or does not accept by this thread.
                if !lane.holds() || lane.is_told() {
                    self.watched.end(lane, false);
                    continue;
                }
                if lane.is(Phase::Taken) && lane.is_one_each() {
                    lane.set(Phase::Served);
                    served += 1;
                } else if lane.is(Phase::Served) && !self.watched.put_behind(lane) {
                    continue;
                }
                lanes += 1;
                taken += u32::from(lane.is(Phase::Taken));
            }
            if served > 0 {
                // What it has just accepted comes first, mostly with a request. It goes behind the others when it has nothing to do.
                // SAFETY: passed on to the caller.
                let count = unsafe { real::epoll_wait(self.set, self.events, self.max, 0) };
                if count != 0 {
                    return Some(count);
                }
                continue;
            }
            if lanes == 0 {
                return None;
            }
            if lanes == 1 && taken == 1 {
                // SAFETY: passed on to the caller.
                let count = unsafe { real::epoll_wait(self.set, self.events, self.max - 1, 0) };
                // SAFETY: passed on to the caller.
                return Some(if count < 0 { count } else { unsafe { self.tell_of_taken(count) } });
            }
            if !self.watched.is_itself(self.set) {
                self.watched.end_all();
                return None;
            }
            let mut found = [EpollEvent { events: 0, data: 0 }; LANES + 1];
            let time = if taken > 0 { Some(0) } else { left };
            let ready = call(self.watched.own(), found.as_mut_ptr(), found.len() as c_int, time);
            if ready < 0 || ready == 0 && taken == 0 {
                return Some(ready);
            }
            let found = found.get(..ready as usize).unwrap_or_default();
            let mut count = 0;
            if found.iter().any(|event| { event.data } == SET) {
                // SAFETY: passed on to the caller.
                count = unsafe { real::epoll_wait(self.set, self.events, self.max - 1, 0) };
                if count < 0 {
                    return Some(count);
                }
            }
            for event in found.iter().filter(|event| { event.data } != SET) {
                // SAFETY: passed on to the caller.
                count = unsafe { self.tell_of(event.data, count) };
            }
            // SAFETY: passed on to the caller.
            count = unsafe { self.tell_of_taken(count) };
            if count > 0 {
                return Some(count);
            }
            // It was woken for what somebody else has taken.
            left = match limit {
                Limit::None => None,
                Limit::Nanoseconds(all) => {
                    let left = all.saturating_sub(real::coarse_now().saturating_sub(begun));
                    Some(left.div_ceil(1_000_000).min(i32::MAX as u64) as c_int)
                }
            };
        }
    }

    /// A connection waits at the listening socket of the lane in that place.
    ///
    /// # Safety
    /// As for [`wait`].
    unsafe fn tell_of(&self, place: u64, count: c_int) -> c_int {
        let Some(lane) = self.watched.at(place) else { return count };
        if !lane.holds() || !lane.is_itself() {
            // The kernel has woken this thread and nobody else.
            self.watched.end(lane, true);
            return count;
        }
        if count >= self.max {
            return count;
        }
        // SAFETY: there is room for one more.
        unsafe { self.events.add(count as usize).write_unaligned(lane.tell(Phase::Told)) };
        count + 1
    }

    /// Lanes by which a connection was accepted last: mostly there is another, and the program finds out.
    ///
    /// # Safety
    /// As for [`wait`].
    unsafe fn tell_of_taken(&self, mut count: c_int) -> c_int {
        for lane in self.watched.lanes().filter(|lane| lane.is(Phase::Taken)) {
            if count < self.max {
                // SAFETY: there is room for one more.
                unsafe { self.events.add(count as usize).write_unaligned(lane.tell(Phase::Offered)) };
                count += 1;
            }
        }
        count
    }
}

//! Lanes whose shared listening socket is watched by the program's own wait while they have an open credit: a set of this library holds
//! the program's epoll set and these sockets. A forked child finds none of this. It waits for nothing itself.

mod lane;

pub(super) use self::lane::{Lane, Phase};

use super::say_of;
use super::shared::{Listener, move_away};
use crate::kernel::abi::*;
use crate::kernel::memory;
use crate::kernel::sys;
use crate::receive::record::blocking;
use clustermon_protocol::credit::{LanePage, Shut};
use clustermon_protocol::record::Upward;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// Lanes that are watched at once.
pub(super) const LANES: usize = 8;
/// Marks the program's set among what our set reports.
pub(super) const SET: u64 = u64::MAX;

/// All of it, in memory that the kernel wipes on fork.
#[repr(C)]
pub(super) struct Watched {
    /// The number of the program's set, plus one.
    set: AtomicU32,
    /// That of ours.
    own: AtomicU32,
    /// A thread is changing this.
    changing: AtomicU32,
    lanes: [Lane; LANES],
}

const _: () = assert!(size_of::<Watched>() <= 4096);

static WATCHED: AtomicPtr<Watched> = AtomicPtr::new(core::ptr::null_mut());

/// What is watched, if a wait on that set concerns it.
#[inline]
pub(super) fn by_set(set: i32) -> Option<&'static Watched> {
    let watched = watched()?;
    (watched.set.load(Ordering::Acquire) == (set as u32).wrapping_add(1)).then_some(watched)
}

#[inline]
fn watched() -> Option<&'static Watched> {
    // SAFETY: null, or mapped by `begin`, never unmapped, and made of atomics alone, for which zeroes are valid.
    unsafe { WATCHED.load(Ordering::Acquire).as_ref() }
}

/// The lane's queue was found empty by the credit of this generation. True if its listening socket is watched, and nobody has to be
/// told.
pub(super) fn found_none(number: u64, generation: u64, listener: Listener) -> bool {
    let Some(lane) = watched().and_then(|watched| watched.find(number)) else { return false };
    let is_it = lane.generation.load(Ordering::Relaxed) == generation
        && lane.listener.load(Ordering::Relaxed) == listener.fd;
    // Who comes though he was told of nothing was woken by what lies in the lane.
    let came_by_it = lane.phase.swap(Phase::Empty as u32, Ordering::AcqRel) == Phase::Empty as u32;
    if is_it && let Some(page) = lane.page() {
        page.direct().count_empty();
    }
    is_it && !came_by_it
}

/// The lane is watched, and a connection was accepted by it since the thread waited last.
#[inline]
pub(super) fn has_taken(number: u64) -> bool {
    find_in(number, Phase::Taken)
}

/// The lane is watched, and the thread's wait has told the program that a connection waits.
#[inline]
pub(super) fn was_told(number: u64) -> bool {
    find_in(number, Phase::Told)
}

/// The thread's wait has told the program of this lane by this descriptor; or the program has accepted by it since, and takes one in each
/// round.
#[inline]
pub(super) fn is_in_round(number: u64, fd: i32) -> bool {
    let found = watched().and_then(|watched| watched.find(number));
    found.is_some_and(|lane| {
        (lane.is(Phase::Told) || lane.is(Phase::Taken) && lane.is_one_each())
            && lane.fd.load(Ordering::Relaxed) == fd
            && lane.holds()
    })
}

#[inline]
fn find_in(number: u64, phase: Phase) -> bool {
    let found = watched().and_then(|watched| watched.find(number));
    found.is_some_and(|lane| lane.is(phase) && lane.holds())
}

/// A connection of the lane was accepted by an open credit.
pub(super) fn found_one(number: u64) {
    if let Some(lane) = watched().and_then(|watched| watched.find(number)) {
        lane.phase.store(Phase::Taken as u32, Ordering::Release);
    }
}

/// The record of the lane's open credit has been taken off: its listening socket is watched from now on. False if that cannot be.
pub(super) fn begin(
    fd: i32,
    number: u64,
    page: &'static LanePage,
    listener: Listener,
    generation: u64,
) -> bool {
    let Some((registration, version)) = page.direct().registration() else { return false };
    // A set that tells once is told of more than it would be: then too its program finds out.
    if registration.events & EPOLLONESHOT != 0 || registration.events & EPOLLIN == 0 || blocking(fd) {
        return false;
    }
    if watched().is_none() {
        let Ok(memory) = memory::map_wiped_on_fork() else { return false };
        // Another thread's stays, if it was quicker; this one is a page that nobody uses.
        let _ = WATCHED.compare_exchange(
            core::ptr::null_mut(),
            memory.cast(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
    }
    let Some(watched) = watched() else { return false };
    watched.alone(|watched| {
        let set = registration.set + 1;
        let current = watched.set.load(Ordering::Relaxed);
        if current != 0 && current != set {
            return false;
        }
        let found = watched.find(number).or_else(|| watched.lanes.iter().find(|lane| lane.is(Phase::Free)));
        let Some(lane) = found else { return false };
        if lane.is(Phase::Free) || lane.listener.load(Ordering::Relaxed) != listener.fd {
            let Some(own) = watched.own_set(registration.set as i32) else { return false };
            watched.unwatch(lane);
            let place = watched.place(lane);
            let mut event = EpollEvent { events: EPOLLIN | EPOLLEXCLUSIVE, data: place };
            if let Err(error) = sys::epoll_ctl(own, EPOLL_CTL_ADD, listener.fd, &mut event)
                && error != EEXIST
            {
                return false;
            }
        }
        lane.fd.store(fd, Ordering::Relaxed);
        lane.listener.store(listener.fd, Ordering::Relaxed);
        lane.number.store(number, Ordering::Relaxed);
        lane.page.store(core::ptr::from_ref(page).cast_mut(), Ordering::Relaxed);
        lane.generation.store(generation, Ordering::Relaxed);
        lane.version.store(version, Ordering::Relaxed);
        lane.data.store(registration.data, Ordering::Relaxed);
        lane.events.store(registration.events & (EPOLLIN | EPOLLRDNORM), Ordering::Relaxed);
        lane.phase.store(Phase::Empty as u32, Ordering::Release);
        watched.set.store(set, Ordering::Release);
        page.direct().watch(generation, watched.own.load(Ordering::Relaxed));
        true
    })
}

/// The program is about to change, or has changed, how this descriptor stands in an epoll set.
pub(super) fn changes(set: i32, fd: i32) {
    if let Some(watched) = watched() {
        // Our set is told by its own; the program's may become part of another.
        if watched.set.load(Ordering::Acquire) == (fd as u32).wrapping_add(1) && set != watched.own() {
            watched.end_all();
        }
    }
}

impl Watched {
    pub(super) fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.iter().filter(|lane| !lane.is(Phase::Free))
    }

    pub(super) fn at(&self, place: u64) -> Option<&Lane> {
        self.lanes.get(place as usize).filter(|lane| !lane.is(Phase::Free))
    }

    /// The number of our set.
    pub(super) fn own(&self) -> i32 {
        self.own.load(Ordering::Acquire) as i32 - 1
    }

    fn find(&self, number: u64) -> Option<&Lane> {
        self.lanes().find(|lane| lane.number.load(Ordering::Acquire) == number)
    }

    fn place(&self, lane: &Lane) -> u64 {
        self.lanes.iter().position(|other| core::ptr::eq(lane, other)).unwrap_or(0) as u64
    }

    /// One thread at a time changes what is watched; who comes meanwhile goes without.
    fn alone(&self, change: impl FnOnce(&Self) -> bool) -> bool {
        if self.changing.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        let done = change(self);
        self.changing.store(0, Ordering::Release);
        done
    }

    /// Our set, with the program's in it.
    fn own_set(&self, set: i32) -> Option<i32> {
        let mut event = EpollEvent { events: EPOLLIN, data: SET };
        let own = self.own();
        if own >= 0 && matches!(sys::epoll_ctl(own, EPOLL_CTL_ADD, set, &mut event), Ok(()) | Err(EEXIST)) {
            return Some(own);
        }
        // The first, or the program has closed it.
        let own = move_away(sys::epoll_create().ok()?)?;
        if sys::epoll_ctl(own, EPOLL_CTL_ADD, set, &mut event).is_err() {
            sys::close(own);
            return None;
        }
        self.own.store(own as u32 + 1, Ordering::Release);
        Some(own)
    }

    /// The program's set is the one that our set holds under that number, and our set is what it was.
    pub(super) fn is_itself(&self, set: i32) -> bool {
        let mut event = EpollEvent { events: EPOLLIN, data: SET };
        sys::epoll_ctl(self.own(), EPOLL_CTL_MOD, set, &mut event).is_ok()
    }

    fn unwatch(&self, lane: &Lane) {
        if !lane.is(Phase::Free) {
            let mut event = EpollEvent { events: 0, data: 0 };
            let listener = lane.listener.load(Ordering::Relaxed);
            let _ = sys::epoll_ctl(self.own(), EPOLL_CTL_DEL, listener, &mut event);
        }
    }

    /// The lane waits at its listening socket behind all others: the kernel wakes whoever has waited there for longest. What has come
    /// meanwhile is told by the wait. False if it is watched no longer.
    pub(super) fn put_behind(&self, lane: &Lane) -> bool {
        let is_done = self.alone(|watched| {
            let (listener, mut event) = (
                lane.listener.load(Ordering::Relaxed),
                EpollEvent { events: EPOLLIN | EPOLLEXCLUSIVE, data: watched.place(lane) },
            );
            watched.unwatch(lane);
            let is_done = sys::epoll_ctl(watched.own(), EPOLL_CTL_ADD, listener, &mut event).is_ok();
            if is_done {
                lane.phase.store(Phase::Empty as u32, Ordering::Release);
            }
            is_done
        });
        if !is_done {
            self.end(lane, true);
        }
        is_done
    }

    /// The lane's listening socket is watched no longer. Its credit ends, for no record in the lane tells of it; `ring`: the
    /// supervisor hears of it in any case.
    pub(super) fn end(&self, lane: &Lane, ring: bool) {
        self.alone(|watched| {
            watched.unwatch(lane);
            let (fd, number) = (lane.fd.load(Ordering::Relaxed), lane.number.load(Ordering::Relaxed));
            let mut is_over = true;
            if let Some(page) = lane.page() {
                page.direct().watch(0, watched.own.load(Ordering::Relaxed));
                is_over = page.shut(lane.generation.load(Ordering::Relaxed)) == Shut::Not;
            }
            lane.phase.store(Phase::Free as u32, Ordering::Release);
            if watched.lanes().next().is_none() {
                let mut event = EpollEvent { events: 0, data: 0 };
                let set = watched.set.swap(0, Ordering::AcqRel) as i32 - 1;
                let _ = sys::epoll_ctl(watched.own(), EPOLL_CTL_DEL, set, &mut event);
            }
            if ring || !is_over {
                say_of(number, fd, Upward::Ring);
            }
            true
        });
    }

    pub(super) fn end_all(&self) {
        self.lanes().for_each(|lane| self.end(lane, false));
    }
}

//! One lane whose listening socket is watched by the program's own wait: where it stands, and what the program is told of it. It changes
//! no epoll set.

use crate::kernel::abi::EpollEvent;
use clustermon_protocol::credit::LanePage;
use core::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};

/// Where a lane stands.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(in crate::credit) enum Phase {
    /// Nobody is watched here.
    Free,
    /// The queue was found empty.
    Empty,
    /// A connection was accepted: there may be another.
    Taken,
    /// One was accepted in the round before this one, by a thread that takes one in each: it is to wait behind the others.
    Served,
    /// The program was told that one waits.
    Told,
    /// It was told of the lane again after it had accepted one, so that it finds out.
    Offered,
}

/// One lane.
#[repr(C)]
pub(in crate::credit) struct Lane {
    pub(super) phase: AtomicU32,
    pub(super) fd: AtomicI32,
    pub(super) listener: AtomicI32,
    pub(super) number: AtomicU64,
    pub(super) page: AtomicPtr<LanePage>,
    pub(super) generation: AtomicU64,
    pub(super) version: AtomicU64,
    pub(super) data: AtomicU64,
    pub(super) events: AtomicU32,
}

impl Lane {
    pub(in crate::credit) fn is(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Acquire) == phase as u32
    }

    pub(super) fn page(&self) -> Option<&'static LanePage> {
        // SAFETY: null, or the page of an entry in the table of lanes, which is never unmapped.
        unsafe { self.page.load(Ordering::Relaxed).as_ref() }
    }

    /// The credit is open, and the program has not changed how the lane is registered.
    pub(in crate::credit) fn holds(&self) -> bool {
        self.page().is_some_and(|page| {
            page.open_generation() == Some(self.generation.load(Ordering::Relaxed))
                && page.direct().holds(self.version.load(Ordering::Relaxed))
        })
    }

    pub(in crate::credit) fn set(&self, phase: Phase) {
        self.phase.store(phase as u32, Ordering::Release);
    }

    /// It accepts one connection in each round.
    pub(in crate::credit) fn is_one_each(&self) -> bool {
        self.page().is_some_and(|page| page.direct().is_one_each())
    }

    /// The descriptor is still this lane.
    pub(in crate::credit) fn is_itself(&self) -> bool {
        crate::sockets::owned::cookie(self.fd.load(Ordering::Relaxed))
            == Some(self.number.load(Ordering::Relaxed))
    }

    /// The program was told, and is to come.
    pub(in crate::credit) fn is_told(&self) -> bool {
        self.is(Phase::Told) || self.is(Phase::Offered)
    }

    /// What the program is told: that a connection waits in the lane. `known` is what there is to know of that.
    pub(in crate::credit) fn tell(&self, known: Phase) -> EpollEvent {
        self.set(known);
        EpollEvent { events: self.events.load(Ordering::Relaxed), data: self.data.load(Ordering::Relaxed) }
    }
}

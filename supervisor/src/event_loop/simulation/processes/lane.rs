//! A lane as a process of a history has it: its end, its page, and how far the library is with its credits. The page and the socket are real
//! ones.

use crate::io::kernel::memory::Memory;
use crate::io::kernel::{message, sockopt};
use clustermon_protocol::credit::{LanePage, SIZE, Stays};
use clustermon_protocol::record::{self, Record, Upward};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// The library's own epoll set in a process.
pub(super) const OWN_SET: u32 = 900;

/// Where a lane stands whose listening socket is watched, as the library has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Empty,
    Taken,
    Served,
    Told,
    Offered,
}

/// The listening socket is watched under this open credit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    pub(super) generation: u64,
    pub(super) version: u64,
    pub(super) phase: Phase,
}

/// A lane, as a process has it.
#[derive(Debug)]
pub(in crate::event_loop::simulation) struct Lane {
    pub(super) id: u64,
    pub(super) inode: u64,
    end: OwnedFd,
    pub(super) listener: Option<OwnedFd>,
    page: Option<Memory>,
    pub(super) watch: Option<Watch>,
    /// It has found nothing since it last found something.
    in_vain: bool,
}

impl Lane {
    pub(super) fn new(end: OwnedFd, id: u64) -> Self {
        let inode = nix::sys::stat::fstat(&end).map_or(0, |status| status.st_ino);
        // A program of an event loop.
        let _ = sockopt::set_nonblocking(end.as_fd());
        Self { id, inode, end, listener: None, page: None, watch: None, in_vain: false }
    }

    pub(super) fn has_page(&self) -> bool {
        self.page.is_some()
    }

    /// It has its page, and takes credits.
    pub(super) fn begin(&mut self, page: OwnedFd) {
        self.page = Memory::map(page, NonZeroUsize::new(SIZE).expect("a size")).ok();
        self.say(Upward::TakesCredit);
    }

    pub(super) fn say_that_it_takes_no_credit(&self) {
        self.say(Upward::NoCredit);
    }

    pub(super) fn say(&self, word: Upward) {
        let _ = message::send(self.end.as_fd(), &word.encode(), None);
    }

    pub(super) fn page(&self) -> Option<&LanePage> {
        // SAFETY: a page is made of atomics and numbers that nobody reads: any bytes are valid.
        unsafe { self.page.as_ref()?.at(0) }
    }

    /// Something lies in it.
    pub(super) fn is_readable(&self) -> bool {
        let mut count: libc::c_int = 0;
        // SAFETY: the kernel writes one number, to a number that is ours.
        let asked = unsafe { libc::ioctl(self.end.as_raw_fd(), libc::FIONREAD, &raw mut count) };
        asked == 0 && count > 0
    }

    pub(super) fn receive(&self) -> Option<(Record, Option<OwnedFd>)> {
        let mut bytes = [0; record::LEN];
        let incoming = message::receive(self.end.as_fd(), &mut bytes).ok().filter(|it| it.len > 0)?;
        let fd = incoming.fd.map(crate::io::kernel::foreign::Foreign::into_owned);
        Record::decode(&bytes).map(|record| (record, fd))
    }

    /// The credit under which the listening socket is watched is open, and what was told of the lane holds.
    pub(super) fn holds(&self, watch: Watch) -> bool {
        self.page().is_some_and(|page| {
            page.open_generation() == Some(watch.generation) && page.direct().holds(watch.version)
        })
    }

    pub(super) fn has_taken(&self) -> bool {
        self.watch.is_some_and(|watch| watch.phase == Phase::Taken && self.holds(watch))
    }

    pub(super) fn is_one_each(&self) -> bool {
        self.page().is_some_and(|page| page.direct().is_one_each())
    }

    pub(super) fn found_one(&mut self) {
        self.in_vain = false;
        if let Some(watch) = &mut self.watch {
            watch.phase = Phase::Taken;
        }
    }

    /// What becomes of the open credit under which the queue was found empty.
    pub(super) fn stays(&mut self, generation: u64) -> Stays {
        if self.listener.is_none() {
            return Stays::Not;
        }
        if self.is_one_each() && self.has_taken() {
            return Stays::Open;
        }
        if let Some(watch) = &mut self.watch {
            let came_by_it = std::mem::replace(&mut watch.phase, Phase::Empty) == Phase::Empty;
            if watch.generation == generation {
                if let Some(page) = self.page() {
                    page.direct().count_empty();
                }
                if !came_by_it {
                    return Stays::Open;
                }
            }
        }
        let Some(page) = self.page() else { return Stays::Not };
        if page.may_hold_connections() {
            return Stays::Not;
        }
        if page.direct().registration().is_some() {
            return Stays::Watched;
        }
        if page.is_patient() && !std::mem::replace(&mut self.in_vain, true) {
            Stays::Open
        } else {
            Stays::Not
        }
    }

    /// The record of the open credit is taken off: the wait watches the listening socket from now on, if it can.
    pub(super) fn watches(&mut self, generation: u64) -> bool {
        let Some(page) = self.page() else { return false };
        let registration = page.direct().registration().filter(|_| self.listener.is_some());
        let Some((_, version)) = registration.filter(|_| page.open_generation() == Some(generation)) else {
            return false;
        };
        page.direct().watch(generation, OWN_SET + 1);
        self.watch = Some(Watch { generation, version, phase: Phase::Empty });
        true
    }
}

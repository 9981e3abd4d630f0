//! The supervisor's side of one lane's credits: the page that it shares with the lane's holders, and what was granted. Whatever
//! a worker writes there is bounded, and says something about that worker only.

use crate::io::kernel::memory::{Memory, Writers};
use clustermon_protocol::credit::{LanePage, NO_CEILING, Registration, SIZE};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Nobody uses or accepts more than this between two looks.
const MOST: u32 = 1 << 20;

/// The credits of one lane.
#[derive(Debug)]
pub(crate) struct Credits {
    memory: Memory,
    /// The worker has said that it accepts by itself.
    pub(crate) taken_up: bool,
    /// Of the last open credit.
    generation: u64,
    /// Singles sent and not taken back; wraps around, as the count of those that were used.
    granted: u32,
    /// Of the singles that are sent now.
    series: u32,
    /// Singles were written off while a thread was accepting: whether by one of them is not known.
    is_unsettled: bool,
    /// Connections of which the core has been told.
    told: u64,
    /// How often the worker's wait had found the queue empty by then.
    told_empty: u64,
    /// How many registrations the worker was told of.
    registrations: u32,
}

impl Credits {
    /// A fresh page; whether what is accepted is noted there.
    pub(crate) fn new(is_counted: bool) -> io::Result<Self> {
        let memory = Memory::new(c"clustermon-lane", SIZE, Writers::Anybody)?;
        let credits = Self {
            memory,
            taken_up: false,
            generation: 0,
            granted: 0,
            series: 0,
            is_unsettled: false,
            told: 0,
            told_empty: 0,
            registrations: 0,
        };
        if let Some(page) = credits.page() {
            if is_counted {
                page.be_counted();
            }
            page.begin();
        }
        Ok(credits)
    }

    pub(super) fn page(&self) -> Option<&LanePage> {
        // SAFETY: a page is made of atomics and numbers that nobody reads: any bytes are valid.
        unsafe { self.memory.at(0) }
    }

    /// Singles that nobody has used. More than were granted, or fewer than none, is garbage and counts as none.
    pub(crate) fn unused(&self) -> u32 {
        let used = self.page().map_or(self.granted, LanePage::used);
        let unused = self.granted.wrapping_sub(used);
        if unused > MOST { 0 } else { unused }
    }

    /// Calls `visit` with the kernel's number of each connection that was accepted since this was last done.
    pub(crate) fn take_notes(&self, visit: impl FnMut(u64)) {
        if let Some(page) = self.page() {
            page.take_notes(visit);
        }
    }

    /// One more single is sent.
    pub(crate) fn grant(&mut self) {
        self.granted = self.granted.wrapping_add(1);
    }

    /// A single that was sent has come back unused.
    pub(crate) fn take_back(&mut self) {
        self.granted = self.granted.wrapping_sub(1);
    }

    /// Of which series a single is that is sent now.
    pub(crate) fn series(&self) -> u32 {
        self.series
    }

    /// What is unused is lost, unless a thread is accepting: no record of it lies in the lane. A thread that took one off and has yet
    /// to mark itself may not use it any more. One that is marked may be about to use it, or to find that it may not, which it tells
    /// nobody: that is settled by writing off once more, when the mark has gone.
    pub(crate) fn write_off(&mut self) {
        self.series = self.series.wrapping_add(1);
        if let Some(page) = self.page() {
            page.begin_series(self.series);
        }
        self.is_unsettled = self.is_accepting();
        if !self.is_unsettled {
            self.granted = self.page().map_or(self.granted, LanePage::used);
        }
    }

    /// Singles that were written off may be neither used nor lost, as far as is known.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.is_unsettled
    }

    /// Opens a credit, whose generation goes into its record.
    pub(crate) fn open(&mut self) -> u64 {
        self.generation += 1;
        if let Some(page) = self.page() {
            page.open(self.generation, NO_CEILING);
        }
        self.generation
    }

    /// A credit is open.
    pub(crate) fn is_open(&self) -> bool {
        self.page().is_some_and(LanePage::is_open)
    }

    /// The open credit ends, if there is one.
    pub(crate) fn revoke(&self) -> bool {
        self.page().is_some_and(LanePage::revoke)
    }

    /// The worker is to send word when it shuts the open credit or uses a single. True if a credit is open.
    pub(crate) fn ask_to_ring(&self) -> bool {
        self.page().is_some_and(LanePage::ask_to_ring)
    }

    /// A connection is about to be handed over by this lane.
    pub(crate) fn hand_over(&self) {
        if let Some(page) = self.page() {
            page.hand_over();
        }
    }

    /// By the counts of both sides a connection that was handed over may lie in the lane.
    pub(crate) fn may_hold_connections(&self) -> bool {
        self.page().is_some_and(LanePage::may_hold_connections)
    }

    /// No connection lies in the lane. What was handed over before there was a page, or was taken back, is counted on one side only.
    pub(crate) fn nothing_is_handed(&self) {
        if let Some(page) = self.page() {
            page.nothing_is_handed();
        }
    }

    /// Whether an open credit may stay open over one accept that finds nothing.
    pub(crate) fn set_patient(&self, on: bool) {
        if let Some(page) = self.page() {
            page.set_patient(on);
        }
    }

    /// How often the program has changed how the lane is registered: to be read before it is looked at.
    pub(crate) fn changed(&self) -> u32 {
        self.page().map_or(0, |page| page.direct().changed())
    }

    /// Tells the worker how the lane is registered in the set by which it waits, if it may watch the listening socket itself.
    pub(crate) fn set_registration(&mut self, registration: Option<Registration>, changes: u32) {
        self.registrations = self.registrations.wrapping_add(1).max(1);
        if let Some(page) = self.page() {
            page.direct().tell(registration, changes, self.registrations);
        }
    }

    /// Whether a worker that waits at the queue itself accepts one connection in each round.
    pub(crate) fn set_one_each(&self, on: bool) {
        if let Some(page) = self.page() {
            page.direct().set_one_each(on);
        }
    }

    /// The worker's wait watches the listening socket under the last open credit.
    pub(crate) fn is_direct(&self) -> bool {
        self.generation > 0 && self.page().is_some_and(|page| page.direct().watched() == self.generation)
    }

    /// The library's own epoll set in the worker.
    pub(crate) fn own_set(&self) -> Option<u32> {
        self.page()?.direct().own_set()
    }

    /// How often the worker's wait has found the queue empty since this was last asked.
    pub(crate) fn found_empty(&mut self) -> u32 {
        let empty = self.page().map_or(self.told_empty, |page| page.direct().empty());
        let found = empty.wrapping_sub(self.told_empty);
        self.told_empty = empty;
        u32::try_from(found).unwrap_or(0)
    }

    /// Some thread may be accepting by this lane at this moment.
    pub(crate) fn is_accepting(&self) -> bool {
        self.page().is_some_and(|page| page.marked().next().is_some())
    }

    /// Connections that were accepted since this was last asked.
    pub(crate) fn took(&mut self) -> u32 {
        let accepted = self.page().map_or(self.told, LanePage::accepted);
        let took = accepted.wrapping_sub(self.told);
        self.told = accepted;
        u32::try_from(took).map_or(0, |took| if took > MOST { 0 } else { took })
    }

    /// Connections accepted so far, for whoever compares two looks.
    pub(crate) fn accepted(&self) -> u64 {
        self.page().map_or(0, LanePage::accepted)
    }
}

impl AsFd for Credits {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_off_may_not_be_used() {
        let mut credits = Credits::new(false).unwrap();
        let first = credits.series();
        credits.grant();
        // A thread is held up in its accept.
        let mark = credits.page().unwrap().mark(7);
        credits.write_off();
        assert_eq!(credits.unused(), 1, "it may yet be used");
        credits.page().unwrap().unmark(mark);
        credits.write_off();
        assert_eq!(credits.unused(), 0);
        let _mark = credits.page().unwrap().mark(7);
        assert!(!credits.page().unwrap().may_use_single(first));
        assert!(credits.page().unwrap().may_use_single(credits.series()));
    }

    #[test]
    fn a_single_that_a_thread_found_void_is_no_longer_awaited() {
        let mut credits = Credits::new(false).unwrap();
        credits.grant();
        let first = credits.series();
        let page = credits.page().unwrap();
        // It had taken it off, and marks itself while singles are written off: it may see the next series, and says nothing.
        let mark = page.mark(7);
        credits.write_off();
        assert!(credits.is_unsettled() && !credits.page().unwrap().may_use_single(first));
        credits.page().unwrap().unmark(mark);
        credits.write_off();
        assert_eq!((credits.unused(), credits.is_unsettled()), (0, false));
    }

    #[test]
    fn what_a_worker_writes_is_bounded() {
        let mut credits = Credits::new(true).unwrap();
        credits.grant();
        credits.grant();
        assert_eq!(credits.unused(), 2);
        credits.page().unwrap().use_single();
        assert_eq!(credits.unused(), 1);
        credits.take_back();
        assert_eq!(credits.unused(), 0);
        credits.page().unwrap().use_single();
        assert_eq!(credits.unused(), 0, "it used what it was not given");
        for _ in 0..3 {
            credits.page().unwrap().count_accepted();
        }
        assert_eq!((credits.took(), credits.took()), (3, 0));
    }
}

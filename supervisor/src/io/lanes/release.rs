//! The release page as the supervisor has it: writable here, and by nobody else. See the protocol's page on why it exists.

use crate::io::kernel::memory::{Memory, Writers};
use clustermon_protocol::release::{SIZE, SLOTS, Ticket};
use slab::Slab;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU32, Ordering};

/// The page and which counters are in use.
#[derive(Debug)]
pub(crate) struct Releases {
    memory: Memory,
    used: Slab<()>,
}

impl Releases {
    /// Makes the page.
    pub(crate) fn new() -> io::Result<Self> {
        let memory = Memory::new(c"clustermon-releases", SIZE, Writers::Supervisor)?;
        Ok(Self { memory, used: Slab::new() })
    }

    /// A counter for a new lane, and the ticket before its first.
    pub(crate) fn open(&mut self) -> io::Result<Ticket> {
        if self.used.len() >= SLOTS as usize {
            return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
        }
        // A slab gives out its lowest free places first, or the one beyond all that are used.
        let slot = self.used.insert(()) as u32;
        let ticket = Ticket { slot, number: 0 };
        let number = self.counter(ticket).map_or(0, |counter| counter.load(Ordering::Relaxed));
        Ok(Ticket { slot, number })
    }

    /// The lane is gone: its counter may serve another.
    pub(crate) fn close(&mut self, ticket: Ticket) {
        self.used.try_remove(ticket.slot as usize);
    }

    /// The supervisor's copy of the connection is closed.
    pub(crate) fn release(&self, ticket: Ticket) {
        if let Some(counter) = self.counter(ticket) {
            ticket.release(counter);
        }
    }

    /// How many counters are in use.
    #[cfg(feature = "simulation")]
    pub(crate) fn count(&self) -> usize {
        self.used.len()
    }

    fn counter(&self, ticket: Ticket) -> Option<&AtomicU32> {
        // SAFETY: an atomic is valid for any bytes.
        unsafe { self.memory.at(ticket.offset()?) }
    }
}

impl AsFd for Releases {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_go_on_where_the_last_lane_left_them() {
        let mut releases = Releases::new().unwrap();
        let first = releases.open().unwrap();
        assert_eq!(first, Ticket { slot: 0, number: 0 });
        releases.release(Ticket { number: 9, ..first });
        releases.close(first);
        assert_eq!(releases.open().unwrap(), Ticket { slot: 0, number: 9 });
        assert_eq!(releases.open().unwrap().slot, 1);
    }
}

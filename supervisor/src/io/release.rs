//! The release page as the supervisor has it: writable here, and by nobody else. See the protocol's page on why it exists.

use clustermon_protocol::release::{SIZE, SLOTS, Ticket};
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::unistd::ftruncate;
use slab::Slab;
use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// The page and which counters are in use.
#[derive(Debug)]
pub(crate) struct Releases {
    memory: OwnedFd,
    map: NonNull<c_void>,
    used: Slab<()>,
}

impl Releases {
    /// Makes the page. Workers cannot resize it nor map it for writing.
    pub(crate) fn new() -> io::Result<Self> {
        let memory =
            memfd_create(c"clustermon-releases", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
        ftruncate(&memory, SIZE as i64)?;
        let size = NonZeroUsize::new(SIZE).ok_or(io::ErrorKind::InvalidInput)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new shared mapping at an address of the kernel's choice; nothing else is touched.
        let map = unsafe { mmap(None, size, access, MapFlags::MAP_SHARED, &memory, 0) }?;
        let releases = Self { memory, map, used: Slab::new() };
        let seals = SealFlag::F_SEAL_SHRINK
            | SealFlag::F_SEAL_GROW
            | SealFlag::F_SEAL_FUTURE_WRITE
            | SealFlag::F_SEAL_SEAL;
        fcntl(&releases.memory, FcntlArg::F_ADD_SEALS(seals))?;
        Ok(releases)
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

    fn counter(&self, ticket: Ticket) -> Option<&AtomicU32> {
        let offset = ticket.offset()?;
        // SAFETY: the offset is within the mapping and aligned, and the mapping lives as long as `self`.
        Some(unsafe { self.map.byte_add(offset).cast::<AtomicU32>().as_ref() })
    }
}

impl Drop for Releases {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this size; no counter outlives `self`.
        let _ = unsafe { munmap(self.map, SIZE) };
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

    #[test]
    fn nobody_else_can_write_it() {
        let releases = Releases::new().unwrap();
        let size = NonZeroUsize::new(SIZE).unwrap();
        // SAFETY: a new mapping that is unmapped at once.
        let mapped = |access| unsafe { mmap(None, size, access, MapFlags::MAP_SHARED, &releases, 0) };
        assert!(mapped(ProtFlags::PROT_READ | ProtFlags::PROT_WRITE).is_err());
        let read = mapped(ProtFlags::PROT_READ).unwrap();
        // SAFETY: mapped above and used by nobody.
        unsafe { munmap(read, SIZE) }.unwrap();
        assert!(ftruncate(&releases, 0).is_err());
    }
}

//! Sealed shared memory: mapped here for writing, handed to workers as a descriptor, never resized by anybody.

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::unistd::ftruncate;
use std::ffi::{CStr, c_void};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

/// Who else may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writers {
    /// Only the supervisor: others can map it for reading.
    Supervisor,
    /// Whoever maps it.
    Anybody,
}

/// Zeroed memory of a fixed size.
#[derive(Debug)]
pub(crate) struct Memory {
    file: OwnedFd,
    map: NonNull<c_void>,
    size: NonZeroUsize,
}

impl Memory {
    /// Makes it; `name` shows in /proc.
    pub(crate) fn new(name: &CStr, size: usize, writers: Writers) -> io::Result<Self> {
        let size = NonZeroUsize::new(size).ok_or(io::ErrorKind::InvalidInput)?;
        let file = memfd_create(name, MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
        ftruncate(&file, size.get() as i64)?;
        let memory = Self::map(file, size)?;
        let mut seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW;
        if writers == Writers::Supervisor {
            seals |= SealFlag::F_SEAL_FUTURE_WRITE;
        }
        fcntl(&memory.file, FcntlArg::F_ADD_SEALS(seals | SealFlag::F_SEAL_SEAL))?;
        Ok(memory)
    }

    /// Maps what somebody else has made: a file, or a map of the kernel's, of at least this size and of a fixed one.
    pub(crate) fn map(file: OwnedFd, size: NonZeroUsize) -> io::Result<Self> {
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new shared mapping at an address of the kernel's choice; nothing else is touched.
        let map = unsafe { mmap(None, size, access, MapFlags::MAP_SHARED, &file, 0) }?;
        Ok(Self { file, map, size })
    }

    /// The memory at an offset, as a `T`; `None` if it does not lie within or is not aligned.
    ///
    /// # Safety
    /// `T` must be valid for any bytes and made of atomics, since others may write at any time.
    pub(crate) unsafe fn at<T>(&self, offset: usize) -> Option<&T> {
        let fits = offset.checked_add(size_of::<T>()).is_some_and(|end| end <= self.size.get());
        // SAFETY: within the mapping, which lives as long as `self`; the caller vouches for the type.
        let place = unsafe { self.map.byte_add(if fits { offset } else { 0 }) }.cast::<T>();
        if !fits || !place.is_aligned() {
            return None;
        }
        // SAFETY: as above, and aligned.
        Some(unsafe { place.as_ref() })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this size; what `at` gave out does not outlive `self`.
        let _ = unsafe { munmap(self.map, self.size.get()) };
    }
}

impl AsFd for Memory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

// SAFETY: the mapping belongs to no thread, and is only reached as atomics.
unsafe impl Send for Memory {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn maps(memory: &Memory, access: ProtFlags) -> bool {
        // SAFETY: a new mapping that is unmapped at once.
        match unsafe { mmap(None, memory.size, access, MapFlags::MAP_SHARED, memory, 0) } {
            // SAFETY: mapped just now and used by nobody.
            Ok(map) => unsafe { munmap(map, memory.size.get()) }.is_ok(),
            Err(_) => false,
        }
    }

    #[test]
    fn nobody_resizes_it_and_only_who_may_writes_it() {
        for (writers, writable) in [(Writers::Supervisor, false), (Writers::Anybody, true)] {
            let memory = Memory::new(c"test", 4096, writers).unwrap();
            assert!(maps(&memory, ProtFlags::PROT_READ));
            assert_eq!(maps(&memory, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE), writable);
            assert!(ftruncate(&memory, 0).is_err() && ftruncate(&memory, 8192).is_err());
        }
    }

    #[test]
    fn only_what_lies_within_is_given_out() {
        let memory = Memory::new(c"test", 4096, Writers::Anybody).unwrap();
        // SAFETY: atomics are valid for any bytes.
        let at = |offset| unsafe { memory.at::<AtomicU32>(offset) };
        at(4092).unwrap().store(5, Ordering::Relaxed);
        assert_eq!(at(4092).unwrap().load(Ordering::Relaxed), 5);
        assert!(at(4096).is_none() && at(2).is_none() && at(usize::MAX).is_none());
    }
}

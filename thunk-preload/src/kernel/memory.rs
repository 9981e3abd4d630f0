//! Memory by the page: of this process alone, or shared with the supervisor. Mapped, not allocated, because the program's
//! allocator may be what called us.

use crate::kernel::sys::{self, nr};

/// Memory of this process alone, given back when dropped.
pub(crate) struct Memory {
    at: *mut u8,
    size: usize,
}

impl Memory {
    /// Maps so many bytes of zeroes.
    pub(crate) fn map(size: usize) -> sys::Result<Self> {
        const READ_WRITE: usize = 3;
        const PRIVATE_ANONYMOUS: usize = 0x22;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let at = unsafe { sys::checked(nr::MMAP, [0, size, READ_WRITE, PRIVATE_ANONYMOUS, usize::MAX, 0]) }?;
        Ok(Self { at: at as *mut u8, size })
    }

    /// Its first byte, aligned to a page.
    pub(crate) fn at(&self) -> *mut u8 {
        self.at
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this size, and nothing borrowed from it outlives it.
        let _ = unsafe { sys::call(nr::MUNMAP, [self.at as usize, self.size, 0, 0, 0, 0]) };
    }
}

/// Maps a file, shared with others that map it.
pub(crate) fn map_shared(fd: i32, size: usize, write: bool) -> sys::Result<*mut u8> {
    const PROT_READ: usize = 1;
    const PROT_WRITE: usize = 2;
    const MAP_SHARED: usize = 1;
    let access = if write { PROT_READ | PROT_WRITE } else { PROT_READ };
    // SAFETY: a new mapping at an address of the kernel's choice.
    unsafe { sys::checked(nr::MMAP, [0, size, access, MAP_SHARED, fd as usize, 0]) }.map(|at| at as *mut u8)
}

/// As [`map_shared`], for reading and writing, in the place of what is mapped at `at`.
///
/// # Safety
/// What is mapped there is the thunk's own, of at least this size, and nobody minds what it holds.
pub(crate) unsafe fn map_shared_over(at: *mut u8, fd: i32, size: usize) -> sys::Result<()> {
    const READ_WRITE: usize = 3;
    const SHARED_FIXED: usize = 0x11;
    // SAFETY: the caller vouches for the place.
    unsafe { sys::checked(nr::MMAP, [at as usize, size, READ_WRITE, SHARED_FIXED, fd as usize, 0]) }.map(drop)
}

/// Puts zeroes of this process alone in the place of what is mapped at `at`.
///
/// # Safety
/// As for [`map_shared_over`].
pub(crate) unsafe fn map_zeroes_over(at: *mut u8, size: usize) -> sys::Result<()> {
    const READ_WRITE: usize = 3;
    const PRIVATE_ANONYMOUS_FIXED: usize = 0x32;
    // SAFETY: the caller vouches for the place.
    unsafe { sys::checked(nr::MMAP, [at as usize, size, READ_WRITE, PRIVATE_ANONYMOUS_FIXED, usize::MAX, 0]) }
        .map(drop)
}

/// Maps one page of zeroes that is zero again in a forked child.
pub(crate) fn map_wiped_on_fork() -> sys::Result<*mut u8> {
    const READ_WRITE: usize = 3;
    const PRIVATE_ANONYMOUS: usize = 0x22;
    const WIPEONFORK: usize = 18;
    const PAGE: usize = 4096;
    // SAFETY: a new mapping at an address of the kernel's choice.
    let at = unsafe { sys::checked(nr::MMAP, [0, PAGE, READ_WRITE, PRIVATE_ANONYMOUS, usize::MAX, 0]) }?;
    // SAFETY: the mapping is ours.
    unsafe { sys::checked(nr::MADVISE, [at, PAGE, WIPEONFORK, 0, 0, 0]) }?;
    Ok(at as *mut u8)
}

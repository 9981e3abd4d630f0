//! Memory of this process alone, for as long as it is needed: mapped, not allocated, because the program's allocator may be
//! what called us.

use crate::sys::{self, nr};

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

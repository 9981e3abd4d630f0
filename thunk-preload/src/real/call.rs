//! The accept() or accept4() that the program made, to be made on another descriptor. It waits for nothing.

use crate::kernel::sys::{self, nr};
use core::ffi::{c_int, c_void};

/// The call that the program made, but for the descriptor.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    number: usize,
    pub(crate) address: *mut c_void,
    pub(crate) len: *mut u32,
    pub(crate) flags: c_int,
}

impl Call {
    pub(crate) fn accept(address: *mut c_void, len: *mut u32) -> Self {
        Self { number: nr::ACCEPT, address, len, flags: 0 }
    }

    pub(crate) fn accept4(address: *mut c_void, len: *mut u32, flags: c_int) -> Self {
        Self { number: nr::ACCEPT4, address, len, flags }
    }

    /// Makes it on another descriptor: the same system call, because a filter of the program's own allows that one.
    ///
    /// # Safety
    /// Address and length are null, or writable for what the length says; the kernel checks them.
    pub(crate) unsafe fn make_on(&self, fd: i32) -> sys::Result<i32> {
        let args = [fd as usize, self.address as usize, self.len as usize, self.flags as usize, 0, 0];
        // SAFETY: the caller vouches for the pointers.
        unsafe { sys::checked(self.number, args) }.map(|connection| connection as i32)
    }
}

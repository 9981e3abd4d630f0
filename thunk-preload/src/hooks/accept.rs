//! accept and accept4. On anything that is not a lane they are the kernel's.

use crate::accept::stand_in;
use crate::accept::take;
use crate::kernel::abi::{EBADF, EINVAL, ENOTCONN, ENOTSOCK, EOPNOTSUPP};
use crate::lanes::lane;
use crate::pulse::member;
use crate::real;
use crate::real::call::Call;
use core::ffi::{c_int, c_void};

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn accept(fd: c_int, address: *mut c_void, len: *mut u32) -> c_int {
    // SAFETY: the program's own arguments.
    noted(unsafe { dispatch(fd, &Call::accept(address, len), || real::accept(fd, address, len)) })
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn accept4(
    fd: c_int,
    address: *mut c_void,
    len: *mut u32,
    flags: c_int,
) -> c_int {
    // SAFETY: the program's own arguments.
    let kernel = || unsafe { real::accept4(fd, address, len, flags) };
    // SAFETY: as above.
    noted(unsafe { dispatch(fd, &Call::accept4(address, len, flags), kernel) })
}

fn noted(connection: c_int) -> c_int {
    if connection >= 0 {
        lane::is_new(connection);
        member::is_new(connection);
    }
    connection
}

/// A hinted fd is tried as a lane first, any other as what the kernel takes it for; each falls back to the other.
///
/// # Safety
/// The program's own arguments.
unsafe fn dispatch(fd: c_int, call: &Call, kernel: impl Fn() -> c_int) -> c_int {
    if let Some(stand_in) = stand_in::of(fd) {
        // SAFETY: passed on to the caller.
        return unsafe { stand_in.accept(fd, call) };
    }
    let before = real::errno();
    if lane::hinted(fd) {
        // SAFETY: passed on to the caller.
        let taken = unsafe { take::accept(fd, call) };
        if taken >= 0 || !matches!(real::errno(), ENOTCONN | EINVAL | ENOTSOCK | EBADF | EOPNOTSUPP) {
            return taken;
        }
        let errno = real::errno();
        if lane::recognise(fd).is_some() {
            real::set_errno(errno);
            return taken;
        }
        real::set_errno(before);
        return kernel();
    }
    let accepted = if member::is(fd) { member::accept(fd, &kernel) } else { kernel() };
    // EOPNOTSUPP: what stands in the place of a lane whose supervisor is gone.
    if accepted >= 0 || !matches!(real::errno(), EINVAL | EOPNOTSUPP) {
        return accepted;
    }
    let errno = real::errno();
    if lane::recognise(fd).is_none() {
        real::set_errno(errno);
        return accepted;
    }
    real::set_errno(before);
    // SAFETY: passed on to the caller.
    unsafe { take::accept(fd, call) }
}

//! unlink, unlinkat and remove: a worker that retires must not take away the socket file through which the others are
//! reached. Every other file is the kernel's.

use crate::kernel::abi::AT_FDCWD;
use crate::log::tell;
use crate::real;
use crate::sockets::place;
use crate::supervisor::link;
use crate::supervisor::settings::Settings;
use clustermon_protocol::message::{Reply, Request};
use core::ffi::{c_char, c_int};

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn unlink(path: *const c_char) -> c_int {
    if served(AT_FDCWD, path) {
        return 0;
    }
    // SAFETY: the program's own argument.
    unsafe { real::unlink(path) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn unlinkat(dir: c_int, path: *const c_char, flags: c_int) -> c_int {
    if flags == 0 && served(dir, path) {
        return 0;
    }
    // SAFETY: the program's own arguments.
    unsafe { real::unlinkat(dir, path, flags) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn remove(path: *const c_char) -> c_int {
    if served(AT_FDCWD, path) {
        return 0;
    }
    // SAFETY: the program's own argument.
    unsafe { real::remove(path) }
}

/// True if the file is a socket that the cluster serves.
fn served(dir: c_int, path: *const c_char) -> bool {
    let errno = real::errno();
    let served = (|| {
        // First what the file is: an ordinary one must not cost a look at the environment, which another thread may
        // be changing.
        let status = place::status(dir, path)?;
        let settings = Settings::from_variables()?;
        let request = Request::Unlink { device: status.device(), inode: status.inode };
        let answer = link::ask(&settings, &request, None)?;
        let owned = answer.reply()? == Reply::Owned;
        if owned {
            tell!("unlink: the socket file stays, for the cluster serves it");
        }
        Some(owned)
    })();
    real::set_errno(errno);
    served == Some(true)
}

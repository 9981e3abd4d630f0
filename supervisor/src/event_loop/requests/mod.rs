//! What processes of workers ask by the library, and whether their word counts. The rules are the kernel's and the wire's; whether a worker is
//! to be served is the core's to say.

mod abuse;
mod answering;
mod any_ports;
mod named_ports;
mod names;
mod pulses;
pub(super) mod state;
mod trust;

use std::io;

/// An error as the worker is to see it.
pub(super) fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

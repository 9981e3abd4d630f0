//! What the thunk has decided, a line for each decision, on stderr: for who looks for the cause of something, with
//! `CLUSTERMON_THUNK_LOG=1`. It allocates nothing, waits for nobody and leaves `errno` alone; one line is one write(2).

use crate::kernel::abi::*;
use crate::kernel::sys;
use crate::real;
use clustermon_protocol::env;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU8, Ordering};

const STDERR: i32 = 2;
/// A longer line is cut.
const ROOM: usize = 240;

const UNKNOWN: u8 = 0;
const OFF: u8 = 1;
const ON: u8 = 2;
/// The same in a forked child, and found out anew after an exec. Whoever comes first at once writes the same.
static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Tells of a decision, in the words of `format_args!`.
macro_rules! tell {
    ($($told:tt)+) => {
        if $crate::log::is_on() {
            $crate::log::line(format_args!($($told)+));
        }
    };
}
pub(crate) use tell;

/// Whether anybody wants to know.
#[inline]
pub(crate) fn is_on() -> bool {
    match STATE.load(Ordering::Relaxed) {
        OFF => false,
        ON => true,
        _ => look(),
    }
}

#[cold]
#[inline(never)]
fn look() -> bool {
    let mut on = false;
    real::each_variable(|entry| {
        if let Some(value) = entry.to_bytes().strip_prefix(env::THUNK_LOG.as_bytes())
            && let Some(value) = value.strip_prefix(b"=")
        {
            on = !matches!(value, b"" | b"0");
        }
    });
    STATE.store(if on { ON } else { OFF }, Ordering::Relaxed);
    on
}

/// Writes a line, if stderr takes it at once: a reader that is slow or gone must not stop or end the program.
#[cold]
#[inline(never)]
pub(crate) fn line(told: fmt::Arguments<'_>) {
    if !is_for_people() {
        return;
    }
    let mut text = Line { bytes: [0; ROOM], len: 0 };
    // What does not fit is left out.
    let _ = write!(text, "clustermon thunk {}: {told}", sys::getpid());
    let Line { mut bytes, len } = text;
    bytes[len] = b'\n';
    let mut ready = [PollFd { fd: STDERR, events: POLLOUT, revents: 0 }];
    if sys::poll(&mut ready, 0) == Ok(1) && ready[0].revents == POLLOUT {
        let _ = sys::write(STDERR, &bytes[..=len]);
    }
}

/// A program that has closed its stderr may have a connection or a lane under that number.
fn is_for_people() -> bool {
    match sys::getsockopt_int(STDERR, SOL_SOCKET, SO_DOMAIN) {
        Ok(family) => {
            family == AF_UNIX && sys::getsockopt_int(STDERR, SOL_SOCKET, SO_TYPE) == Ok(SOCK_STREAM)
        }
        Err(error) => error == ENOTSOCK,
    }
}

struct Line {
    /// One byte is kept for the end of the line.
    bytes: [u8; ROOM],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = ROOM - 1 - self.len.min(ROOM - 1);
        let fits = part.len().min(room);
        self.bytes[self.len..self.len + fits].copy_from_slice(&part.as_bytes()[..fits]);
        self.len += fits;
        if fits == part.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// An error number by its name, where that is one that is told of here.
pub(crate) struct Errno(pub(crate) i32);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            EPERM => "EPERM",
            EINTR => "EINTR",
            EBADF => "EBADF",
            EAGAIN => "EAGAIN",
            EINVAL => "EINVAL",
            EMFILE => "EMFILE",
            EADDRINUSE => "EADDRINUSE",
            EACCES => "EACCES",
            ENOSYS => "ENOSYS",
            ENOENT => "ENOENT",
            99 => "EADDRNOTAVAIL",
            ENOTSOCK => "ENOTSOCK",
            ENOTCONN => "ENOTCONN",
            other => return write!(f, "errno {other}"),
        };
        f.write_str(name)
    }
}

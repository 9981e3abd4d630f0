//! accept() on a lane: receives one connection from the supervisor. It loses none: near the limit of descriptors it
//! looks before it takes.

use crate::abi::*;
use crate::{lane, polled, real, settings::Settings, swap, sys};
use clustermon_protocol::address::{Address, MAX};
use clustermon_protocol::record::{LEN, Record, Upward};
use clustermon_protocol::scm::{self, Control, Received};
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

/// How close to the limit of descriptors the highest known one may come before each take is preceded by a look.
const MARGIN: u64 = 64;
/// The limit is read anew once in so many takes.
const REFRESH: u32 = 64;

static HIGHEST: AtomicI32 = AtomicI32::new(0);
static TAKES: AtomicU32 = AtomicU32::new(0);
static LIMIT: AtomicU64 = AtomicU64::new(0);

/// What came out of a lane.
enum Taken {
    Connection {
        fd: i32,
        peer: Address,
        nonblock: bool,
    },
    Void,
    End,
    /// The table of descriptors is full; `lost` if a connection went with it.
    Full {
        lost: bool,
    },
    Failed(c_int),
}

/// accept() and accept4() on a lane.
///
/// # Safety
/// `address` and `len` are the program's, as for accept4: null, or writable for what `*len` says.
pub(crate) unsafe fn accept(fd: c_int, address: *mut c_void, len: *mut u32, flags: c_int) -> c_int {
    if flags & !(SOCK_CLOEXEC | SOCK_NONBLOCK) != 0 {
        return real::fail(EINVAL);
    }
    let cloexec = if flags & SOCK_CLOEXEC != 0 { MSG_CMSG_CLOEXEC } else { 0 };
    let mut told = None;
    let mut wait = 0;
    loop {
        if near_limit() && matches!(receive(fd, MSG_PEEK | wait), Taken::Full { .. }) {
            return real::fail(EMFILE);
        }
        match receive(fd, cloexec | wait) {
            Taken::Connection { fd: connection, peer, nonblock } => {
                if wait == 0 {
                    polled::take();
                }
                HIGHEST.fetch_max(connection, Ordering::Relaxed);
                set_nonblock(fd, connection, nonblock, flags & SOCK_NONBLOCK != 0);
                // SAFETY: passed on to the caller.
                unsafe { copy_address(&peer, address, len) };
                return connection;
            }
            // What waited was taken back. On a non-blocking fd the next round says EAGAIN, as the kernel's accept
            // would; a thread that was told 'readable' must not be left waiting; any other goes on waiting.
            Taken::Void => {
                if *told.get_or_insert_with(polled::take) {
                    wait = MSG_DONTWAIT;
                }
            }
            Taken::Failed(EAGAIN) if wait != 0 && blocking(fd) => return real::fail(ECONNABORTED),
            Taken::Failed(error) => return real::fail(error),
            Taken::Full { lost } => {
                if lost {
                    let _ = sys::send(fd, &Upward::Lost.encode(), MSG_DONTWAIT | MSG_NOSIGNAL);
                }
                return real::fail(EMFILE);
            }
            Taken::End => return real::fail(end(fd)),
        }
    }
}

/// True if a receive may find the table of descriptors full.
fn near_limit() -> bool {
    if TAKES.fetch_add(1, Ordering::Relaxed).is_multiple_of(REFRESH) {
        LIMIT.store(sys::descriptor_limit(), Ordering::Relaxed);
    }
    HIGHEST.load(Ordering::Relaxed) as u64 + MARGIN >= LIMIT.load(Ordering::Relaxed)
}

fn receive(fd: i32, flags: i32) -> Taken {
    let mut bytes = [0; LEN];
    let mut control = Control::empty();
    let mut iov = IoVec { base: bytes.as_mut_ptr().cast(), len: LEN };
    let mut message = Message {
        name: core::ptr::null_mut(),
        name_len: 0,
        iov: &raw mut iov,
        iov_len: 1,
        control: (&raw mut control).cast(),
        control_len: scm::LEN,
        flags: 0,
    };
    // SAFETY: the message points to buffers of this frame with their lengths. It goes through the C library because
    // it may block, and pthread_cancel must reach it.
    let count = unsafe { real::recvmsg(fd, &raw mut message, flags) };
    if count < 0 {
        return Taken::Failed(real::errno());
    }
    let received = control.received(message.control_len, message.flags);
    if flags & MSG_PEEK != 0 {
        // Looking installs the fd as well.
        return match received {
            Received::Fd(fd) => {
                sys::close(fd);
                Taken::Void
            }
            Received::Truncated(None) => Taken::Full { lost: false },
            _ => Taken::Void,
        };
    }
    if count == 0 {
        return Taken::End;
    }
    match (Record::decode(&bytes), received) {
        (Some(Record::Connection { peer, nonblock }), Received::Fd(fd)) => {
            Taken::Connection { fd, peer, nonblock }
        }
        (_, Received::Truncated(None)) => Taken::Full { lost: true },
        (_, Received::Fd(fd) | Received::Truncated(Some(fd))) => {
            sys::close(fd);
            Taken::Void
        }
        (_, Received::Nothing) => Taken::Void,
    }
}

fn blocking(fd: i32) -> bool {
    sys::fcntl(fd, F_GETFL, 0).is_ok_and(|flags| flags & O_NONBLOCK == 0)
}

/// O_NONBLOCK belongs to the connection, not to the fd: the supervisor sets it as it was last told. Tells it if that is
/// not what the program wants, so that the next connections come right.
fn set_nonblock(lane: i32, connection: i32, is: bool, wanted: bool) {
    if is == wanted {
        return;
    }
    if let Ok(flags) = sys::fcntl(connection, F_GETFL, 0) {
        let flags = if wanted { flags | O_NONBLOCK } else { flags & !O_NONBLOCK };
        let _ = sys::fcntl(connection, F_SETFL, flags as usize);
    }
    let _ = sys::send(lane, &Upward::Nonblock(wanted).encode(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/// Writes an address as the kernel does: cut to the caller's room, with the whole length told.
///
/// # Safety
/// `out` and `len` are null, or writable for `*len` bytes and one `socklen_t`.
pub(crate) unsafe fn copy_address(address: &Address, out: *mut c_void, len: *mut u32) {
    if out.is_null() || len.is_null() {
        return;
    }
    let whole = address.reported_len();
    // SAFETY: the caller vouches for both pointers; at most `*len` bytes and at most the address are copied.
    unsafe {
        let room = (*len as usize).min(whole).min(MAX);
        core::ptr::copy_nonoverlapping(address.padded().as_ptr(), out.cast::<u8>(), room);
        *len = whole as u32;
    }
}

/// The lane has ended: the error that accept() gives. Either the program shut its listener down, or the supervisor is
/// gone. Then the program stops, or lives on beside a socket on which nothing ever happens: a hung-up lane would be
/// readable for ever and the program would spin.
fn end(fd: i32) -> c_int {
    let mut look = [PollFd { fd, events: POLLOUT, revents: 0 }];
    let hung_up = sys::poll(&mut look, 0).is_ok() && look[0].revents & POLLHUP != 0;
    if !hung_up {
        return EINVAL;
    }
    if let Ok(inert) = sys::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC) {
        let _ = swap::replace(fd, inert, swap::flags(fd));
    }
    lane::hint(fd);
    if !Settings::read().is_some_and(|settings| settings.keep) {
        sys::kill(sys::getpid(), SIGTERM);
    }
    if blocking(fd) { EINTR } else { EAGAIN }
}

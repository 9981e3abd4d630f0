//! accept() on a lane: receives one connection from the supervisor. It loses none: near the limit of descriptors it
//! looks before it takes.

use crate::abi::*;
use crate::log::tell;
use crate::{adopt, lane, link, polled, pulse, real, release, settings::Settings, swap, sys};
use clustermon_protocol::address::{Address, MAX};
use clustermon_protocol::record::{LEN, Record, Upward};
use clustermon_protocol::release::Ticket;
use clustermon_protocol::scm::{self, Control, Received};
use core::ffi::{c_int, c_void};

/// Descriptors so near to the limit are counted with care.
const MARGIN: u64 = 64;

/// What came out of a lane.
enum Taken {
    Connection {
        fd: i32,
        peer: Address,
        nonblock: bool,
        ticket: Ticket,
    },
    Void,
    End,
    /// The table of descriptors is full; `lost` names the connection that went with it.
    Full {
        lost: Option<(Address, bool, Ticket)>,
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
    let mut asked = adopt::at_accept(fd);
    // SAFETY: passed on to the caller.
    let taken = unsafe { take(fd, address, len, flags, &mut asked) };
    if asked {
        pulse::leave();
    }
    taken
}

/// Accepts once it is known by which lane; `asked` is set if it asks for one of its own.
///
/// # Safety
/// As for [`accept`].
unsafe fn take(fd: c_int, address: *mut c_void, len: *mut u32, flags: c_int, asked: &mut bool) -> c_int {
    let cloexec = if flags & SOCK_CLOEXEC != 0 { MSG_CMSG_CLOEXEC } else { 0 };
    let mut told = None;
    let mut wait = 0;
    loop {
        let kept = match look_for_room(fd, wait) {
            Room::Plenty => None,
            Room::Little(kept) => kept,
            Room::None => {
                tell!("accept({fd}): EMFILE, and what waits stays");
                return real::fail(EMFILE);
            }
        };
        // Who has not been told that something waits here waits here itself.
        let waits = wait == 0 && !polled::is_marked() && pulse::enter_accept(fd, || blocking(fd));
        let taken = receive(fd, cloexec | wait);
        if waits {
            pulse::leave();
        }
        match settle(taken, kept, cloexec != 0) {
            Taken::Connection { fd: connection, peer, nonblock, ticket } => {
                if wait == 0 {
                    polled::take();
                }
                release::wait(ticket);
                pulse::accepted();
                set_nonblock(fd, connection, nonblock, flags & SOCK_NONBLOCK != 0);
                // SAFETY: passed on to the caller.
                if let Err(error) = unsafe { copy_address(&peer, address, len) } {
                    // As the kernel's: the connection goes with the mistake.
                    sys::close(connection);
                    return real::fail(error);
                }
                return connection;
            }
            // What waited was taken back. On a non-blocking fd the next round says EAGAIN, as the kernel's accept
            // would; a thread that was told 'readable' must not be left waiting; any other goes on waiting.
            Taken::Void => {
                tell!("accept({fd}): what waited was taken back");
                if *told.get_or_insert_with(polled::take) {
                    wait = MSG_DONTWAIT;
                }
                // Those who shared the lane have left it: this process may have one of its own too.
                *asked |= adopt::at_accept(fd);
            }
            Taken::Failed(EAGAIN) if wait != 0 && blocking(fd) => return real::fail(ECONNABORTED),
            Taken::Failed(error) => return real::fail(error),
            Taken::Full { lost } => {
                if lost.is_some() {
                    tell!("accept({fd}): EMFILE, and a connection was lost with it");
                    let _ = sys::send(fd, &Upward::Lost.encode(), MSG_DONTWAIT | MSG_NOSIGNAL);
                }
                return real::fail(EMFILE);
            }
            Taken::End => return real::fail(end(fd)),
        }
    }
}

/// How much room the table of descriptors has. A connection that finds none would be lost with its record.
enum Room {
    Plenty,
    /// So little that another thread may take it: the connection that is looked at is kept until it is received.
    Little(Option<(i32, Ticket)>),
    None,
}

/// Tries for a descriptor: it may have been filled by anything that the program does. accept(2) too says EMFILE before
/// it looks whether anybody waits.
fn look_for_room(lane: i32, wait: c_int) -> Room {
    let free = match sys::fcntl(lane, F_DUPFD_CLOEXEC, 0) {
        Ok(free) => free,
        // Closed since it was last seen: the receiving will say so.
        Err(EBADF) => return Room::Little(None),
        Err(_) => return Room::None,
    };
    sys::close(free);
    if (free as u64) + MARGIN < 256 || (free as u64) + MARGIN < sys::descriptor_limit() {
        return Room::Plenty;
    }
    match receive(lane, MSG_PEEK | MSG_CMSG_CLOEXEC | wait) {
        Taken::Connection { fd, ticket, .. } => Room::Little(Some((fd, ticket))),
        Taken::Full { .. } => Room::None,
        Taken::Void | Taken::End | Taken::Failed(_) => Room::Little(None),
    }
}

/// Joins what was looked at and what was received: usually the same connection, then one of the two descriptors goes.
fn settle(taken: Taken, kept: Option<(i32, Ticket)>, cloexec: bool) -> Taken {
    let Some((kept, seen)) = kept else { return taken };
    match taken {
        // The record came without its descriptor, but it is the one that was looked at.
        Taken::Full { lost: Some((peer, nonblock, ticket)) } if ticket == seen => {
            if !cloexec {
                let _ = sys::fcntl(kept, F_SETFD, 0);
            }
            Taken::Connection { fd: kept, peer, nonblock, ticket }
        }
        other => {
            sys::close(kept);
            other
        }
    }
}

fn receive(fd: i32, flags: i32) -> Taken {
    let mut bytes = [0; LEN];
    let mut control = Control::empty();
    let mut iov = IoVec { base: bytes.as_mut_ptr().cast(), len: LEN };
    let mut message = Message::new(&mut iov, (&raw mut control).cast(), scm::LEN);
    // SAFETY: the message points to buffers of this frame with their lengths. It goes through the C library because
    // it may block, and pthread_cancel must reach it.
    let count = unsafe { real::recvmsg(fd, &raw mut message, flags) };
    if count < 0 {
        return match real::errno() {
            // The supervisor was killed before it had read what this worker had told it.
            ECONNRESET => Taken::End,
            error => Taken::Failed(error),
        };
    }
    let received = control.received(message.control_len, message.flags);
    if count == 0 {
        return Taken::End;
    }
    match (Record::decode(&bytes), received) {
        (Some(Record::Connection { peer, nonblock, ticket }), Received::Fd(fd)) => {
            Taken::Connection { fd, peer, nonblock, ticket }
        }
        (Some(Record::Connection { peer, nonblock, ticket }), Received::Truncated(None)) => {
            Taken::Full { lost: Some((peer, nonblock, ticket)) }
        }
        (_, Received::Fd(fd) | Received::Truncated(Some(fd))) => {
            sys::close(fd);
            Taken::Void
        }
        (_, Received::Nothing | Received::Truncated(None)) => Taken::Void,
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

/// Writes an address as the kernel does: cut to the caller's room, with the whole length told; or says what is wrong with
/// the room.
///
/// # Safety
/// `out` and `len` are null, or writable for `*len` bytes and one `socklen_t`.
pub(crate) unsafe fn copy_address(address: &Address, out: *mut c_void, len: *mut u32) -> Result<(), c_int> {
    if out.is_null() {
        return Ok(());
    }
    // SAFETY: null, or the caller vouches for it.
    let room = unsafe { len.as_ref() }.ok_or(EFAULT)?;
    if (*room as i32) < 0 {
        return Err(EINVAL);
    }
    let whole = address.reported_len();
    // SAFETY: the caller vouches for both pointers; at most `*len` bytes and at most the address are copied.
    unsafe {
        let room = (*len as usize).min(whole).min(MAX);
        core::ptr::copy_nonoverlapping(address.padded().as_ptr(), out.cast::<u8>(), room);
        *len = whole as u32;
    }
    Ok(())
}

/// The lane has ended: the error that accept() gives. Either the program shut its listener down, or the supervisor
/// closed the lane, or it is gone. If it is gone the program stops, or lives on beside a socket on which nothing ever
/// happens: a hung-up lane would be readable for ever and the program would spin.
fn end(fd: i32) -> c_int {
    let mut look = [PollFd { fd, events: POLLOUT, revents: 0 }];
    let hung_up = sys::poll(&mut look, 0).is_ok() && look[0].revents & POLLHUP != 0;
    let settings = Settings::read();
    if !hung_up || settings.as_ref().is_some_and(link::is_up) {
        tell!("accept({fd}): EINVAL, for the lane was shut down or closed");
        return EINVAL;
    }
    let blocking = blocking(fd);
    if let Ok(inert) = sys::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC) {
        let _ = swap::replace(fd, inert, swap::flags(fd));
    }
    lane::hint(fd);
    if settings.is_some_and(|settings| settings.keep) {
        tell!("accept({fd}): the supervisor is gone; this process goes on with what it has");
    } else {
        tell!("accept({fd}): the supervisor is gone; SIGTERM to this process");
        sys::kill(sys::getpid(), SIGTERM);
    }
    if blocking { EINTR } else { EAGAIN }
}

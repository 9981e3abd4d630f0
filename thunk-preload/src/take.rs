//! accept() on a lane: receives one connection from the supervisor. It loses none: near the limit of descriptors it
//! looks before it takes. Where the program has forbidden itself to receive, the supervisor hears of it.

use crate::abi::*;
use crate::log::{Errno, tell};
use crate::polled::{self, Told};
use crate::room::{self, Room};
use crate::{adopt, ended, lane, pulse, real, registrations, release, sys};
use clustermon_protocol::address::{Address, MAX};
use clustermon_protocol::record::{LEN, Record, Upward};
use clustermon_protocol::release::Ticket;
use clustermon_protocol::scm::{self, Control, Received};
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicBool, Ordering};

/// How accept() looks for a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// As the fd is set: for a thread that has not been told that something waits here, this may be its wait.
    Wait,
    /// Without waiting, because this thread's last wait has told it of something, which may be this lane.
    Try,
    /// Without waiting, because it was told of this lane and what it was told of is gone.
    Vain,
}

impl Mode {
    fn flags(self) -> c_int {
        match self {
            Self::Wait => 0,
            Self::Try | Self::Vain => MSG_DONTWAIT,
        }
    }
}

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
    let mut mode = if polled::is_marked() { Mode::Try } else { Mode::Wait };
    loop {
        let room = room::look(fd);
        if let Room::None = room {
            tell!("accept({fd}): EMFILE, and what waits stays");
            return real::fail(EMFILE);
        }
        match receive_in(fd, mode, &room, cloexec) {
            Taken::Connection { fd: connection, peer, nonblock, ticket } => {
                polled::took(fd);
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
                if polled::told().is_some_and(|told| is_of(told, fd)) {
                    mode = Mode::Vain;
                } else if mode == Mode::Try {
                    mode = Mode::Wait;
                }
                polled::took(fd);
                // Those who shared the lane have left it: this process may have one of its own too.
                *asked |= adopt::at_accept(fd);
            }
            // It was told of something else, or another thread was quicker: it waits, as the kernel's accept would.
            Taken::Failed(EAGAIN) if mode == Mode::Try && blocking(fd) => mode = Mode::Wait,
            Taken::Failed(EAGAIN) if mode == Mode::Vain && blocking(fd) => return real::fail(ECONNABORTED),
            Taken::Failed(error) => {
                if let EPERM | EACCES | ENOSYS = error {
                    barred(fd, error);
                }
                return real::fail(error);
            }
            Taken::Full { lost } => {
                if lost.is_some() {
                    tell!("accept({fd}): EMFILE, and a connection was lost with it");
                    let _ = sys::send(fd, &Upward::Lost.encode(), MSG_DONTWAIT | MSG_NOSIGNAL);
                }
                return real::fail(EMFILE);
            }
            Taken::End => {
                if let Some(error) = ended::answer(fd) {
                    return real::fail(error);
                }
            }
        }
    }
}

/// Whether a thread that was told this was told of the lane `fd`. What the kernel does not tell counts as yes: accept()
/// may fail for nothing, but a thread must not be left waiting.
#[cold]
fn is_of(told: Told, fd: i32) -> bool {
    match told {
        Told::Something => true,
        // A set that was closed since was most probably made for the one connection that it told of.
        Told::Set(set) if sys::fcntl(set, F_GETFD, 0) == Err(EBADF) => false,
        Told::Set(set) => registrations::may_tell_of(set, fd).unwrap_or(true),
        Told::Lanes(lanes) if lanes.may_hold(fd) => true,
        Told::Lanes(lanes) => {
            let own = lane::recognise(fd).map(|identity| identity.lane);
            let mut is_copy = own.is_none();
            lane::each_hinted(usize::MAX, |other| {
                is_copy |=
                    lanes.may_hold(other) && own == lane::recognise(other).map(|identity| identity.lane);
            });
            is_copy
        }
    }
}

/// Receives, which is this thread's wait where it was told of nothing.
fn receive_in(fd: i32, mode: Mode, room: &Room, cloexec: c_int) -> Taken {
    let receive = || match room {
        Room::Plenty => receive(fd, cloexec | mode.flags()),
        Room::Little | Room::None => receive_in_turn(fd, cloexec, mode.flags()),
    };
    if mode != Mode::Wait {
        return receive();
    }
    let entered = pulse::enter_accept(fd, || blocking(fd));
    let taken = receive();
    pulse::leave_accept(entered);
    taken
}

/// As [`receive`], where there is little room: waits without taking anything, and then takes what it has looked at.
fn receive_in_turn(fd: i32, cloexec: c_int, wait: c_int) -> Taken {
    loop {
        // It may block, so it goes through the C library. Without room for a descriptor none is installed.
        let mut bytes = [0; LEN];
        let mut iov = IoVec { base: bytes.as_mut_ptr().cast(), len: LEN };
        let mut message = Message::new(&mut iov, core::ptr::null_mut(), 0);
        // SAFETY: the message points to a buffer of this frame with its length.
        match unsafe { real::recvmsg(fd, &raw mut message, MSG_PEEK | wait) } {
            0 => return Taken::End,
            1.. => {}
            _ => return failure(real::errno()),
        }
        let taken = room::in_turn(|| {
            match receive_now(fd, MSG_PEEK | MSG_CMSG_CLOEXEC) {
                // It is this thread's, whatever happens to the table of descriptors.
                Taken::Connection { fd: kept, ticket, .. } => {
                    settle(receive_now(fd, cloexec), (kept, ticket), cloexec != 0)
                }
                Taken::Full { .. } => Taken::Full { lost: None },
                Taken::Void => receive_now(fd, cloexec),
                other => other,
            }
        });
        // Somebody else has it.
        if !matches!(taken, Taken::Failed(EAGAIN)) || wait != 0 || !blocking(fd) {
            return taken;
        }
    }
}

/// Joins what was looked at and what was received: usually the same connection, then one of the two descriptors goes.
fn settle(taken: Taken, (kept, seen): (i32, Ticket), cloexec: bool) -> Taken {
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

/// It goes through the C library because it may block, and pthread_cancel must reach it.
fn receive(fd: i32, flags: i32) -> Taken {
    receive_by(|message| {
        // SAFETY: the message points to buffers of its maker with their lengths.
        let count = unsafe { real::recvmsg(fd, message, flags) };
        usize::try_from(count).map_err(|_| real::errno())
    })
}

/// As [`receive`], without waiting, and no cancellation point.
fn receive_now(fd: i32, flags: i32) -> Taken {
    receive_by(|message| sys::recvmsg(fd, message, flags | MSG_DONTWAIT))
}

fn failure(error: c_int) -> Taken {
    match error {
        // The supervisor was killed before it had read what this worker had told it.
        ECONNRESET => Taken::End,
        error => Taken::Failed(error),
    }
}

fn receive_by(call: impl FnOnce(&mut Message) -> sys::Result<usize>) -> Taken {
    let mut bytes = [0; LEN];
    let mut control = Control::empty();
    let mut iov = IoVec { base: bytes.as_mut_ptr().cast(), len: LEN };
    let mut message = Message::new(&mut iov, (&raw mut control).cast(), scm::LEN);
    let count = match call(&mut message) {
        Ok(count) => count,
        Err(error) => return failure(error),
    };
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

pub(crate) fn blocking(fd: i32) -> bool {
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

/// The kernel does not let this process receive: mostly a seccomp filter of the program's own. Nothing but the supervisor
/// can tell anybody, and a filter that forbids sending mostly lets it write.
#[cold]
#[inline(never)]
fn barred(lane: i32, error: c_int) {
    static TOLD: AtomicBool = AtomicBool::new(false);
    if !TOLD.swap(true, Ordering::Relaxed) {
        let told = Upward::Barred(error as u8).encode();
        if sys::send(lane, &told, MSG_DONTWAIT | MSG_NOSIGNAL).is_err() {
            let _ = sys::write(lane, &told);
        }
    }
    tell!("accept({lane}): {}, for this process may not call recvmsg", Errno(error));
}

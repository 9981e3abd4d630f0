//! accept() on a lane: takes one connection, by itself where a credit allows it, or from the supervisor. It loses none: near
//! the limit of descriptors it looks before it takes. Where the program has forbidden itself to receive, the supervisor hears
//! of it.

use crate::accept::{adopt, ended, stand_in};
use crate::credit::{self, CallOutcome, Credit};
use crate::kernel::abi::*;
use crate::kernel::{registrations, sys};
use crate::lanes::lane;
use crate::log::{Errno, tell};
use crate::pulse::polled::{self, Told};
use crate::real::call::Call;
use crate::receive::record::{Mode, Taken, blocking, receive_credit, receive_in};
use crate::receive::release;
use crate::receive::room::{self, Room};
use crate::{pulse, real};
use clustermon_protocol::address::{Address, MAX};
use clustermon_protocol::record::Upward;
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicBool, Ordering};

/// accept() and accept4() on a lane.
///
/// # Safety
/// The call's address and length are the program's, as for accept4: null, or writable for what the length says.
pub(crate) unsafe fn accept(fd: c_int, call: &Call) -> c_int {
    if call.flags & !(SOCK_CLOEXEC | SOCK_NONBLOCK) != 0 {
        return real::fail(EINVAL);
    }
    let mut asked = adopt::at_accept(fd);
    // SAFETY: passed on to the caller.
    let taken = unsafe { take(fd, call, &mut asked) };
    if asked {
        pulse::leave();
    }
    taken
}

/// Accepts once it is known by which lane; `asked` is set if it asks for one of its own.
///
/// # Safety
/// As for [`accept`].
unsafe fn take(fd: c_int, call: &Call, asked: &mut bool) -> c_int {
    let cloexec = if call.flags & SOCK_CLOEXEC != 0 { MSG_CMSG_CLOEXEC } else { 0 };
    let mut credit = credit::of(fd);
    let mut mode = if polled::is_marked() { Mode::Try } else { Mode::Wait };
    // What this thread had been told when it found something that was void.
    let mut in_vain = None;
    // What it has found was void.
    let mut is_void = false;
    loop {
        if let Some(held) = &mut credit {
            // SAFETY: passed on to the caller.
            match unsafe { held.go_on(fd, call) } {
                CallOutcome::Accepted(connection) => {
                    polled::took(fd);
                    room::note(connection);
                    pulse::accepted();
                    return connection;
                }
                CallOutcome::Failed(error) => return real::fail(error),
                CallOutcome::Nothing { in_vain } => is_void |= in_vain,
                CallOutcome::Unusable => {
                    credit = None;
                    is_void = true;
                }
                CallOutcome::Elsewhere => {
                    credit = credit::of_lane(fd);
                    continue;
                }
            }
        }
        // On a non-blocking fd the next round says EAGAIN, as the kernel's accept would; a thread that was told 'readable'
        // must not be left waiting; any other goes on waiting.
        if core::mem::take(&mut is_void) {
            let told = polled::told();
            if mode == Mode::Try {
                in_vain = in_vain.or(told);
            } else if told.is_some_and(|told| blocking(fd) && is_of(told, fd)) {
                mode = Mode::Vain;
            }
            polled::took(fd);
            // Those who shared the lane have left it: this process may have one of its own too.
            if adopt::at_accept(fd) {
                *asked = true;
                credit = credit::of_lane(fd);
                continue;
            }
        }
        let taken = match room_for(fd, credit.as_ref()) {
            Room::None if credit.is_some() => receive_credit(fd),
            Room::None => Taken::Full { lost: None },
            room => receive_in(fd, mode, &room, cloexec),
        };
        if mode == Mode::Wait {
            credit.iter_mut().for_each(Credit::has_waited);
        }
        if let Taken::Connection { .. } | Taken::Full { lost: Some(_) } = taken {
            credit::count_received(&mut credit, fd);
        }
        match taken {
            Taken::Connection { fd: connection, peer, nonblock, ticket } => {
                polled::took(fd);
                release::wait(ticket);
                pulse::accepted();
                set_nonblock(fd, connection, nonblock, call.flags & SOCK_NONBLOCK != 0);
                // SAFETY: passed on to the caller.
                if let Err(error) = unsafe { copy_address(&peer, call.address, call.len) } {
                    // As the kernel's: the connection goes with the mistake.
                    sys::close(connection);
                    return real::fail(error);
                }
                return connection;
            }
            Taken::Single { lane, series } => {
                credit::use_single(&mut credit, fd, lane, series);
                is_void = credit.is_none();
            }
            Taken::Open { generation } => {
                credit::give_back(&mut credit, fd, generation);
                is_void = true;
            }
            Taken::Void => {
                tell!("accept({fd}): what waited was taken back");
                credit.iter_mut().for_each(Credit::look_again);
                is_void = true;
            }
            // It was told of something else, or another thread was quicker: it waits, as the kernel's accept would.
            Taken::Failed(EAGAIN) if mode == Mode::Try && blocking(fd) => {
                // A thread that was told of what was void must not be left waiting.
                if in_vain.take().is_some_and(|told| is_of(told, fd)) {
                    return real::fail(ECONNABORTED);
                }
                mode = Mode::Wait;
                credit.iter_mut().for_each(Credit::look_again);
            }
            Taken::Failed(EAGAIN) if mode == Mode::Vain && blocking(fd) => return real::fail(ECONNABORTED),
            Taken::Failed(error) => {
                // Another thread has put the listening socket in the place of the lane.
                if error == ENOTCONN
                    && let Some(stand_in) = stand_in::of(fd)
                {
                    // SAFETY: passed on to the caller.
                    return unsafe { stand_in.accept(fd, call) };
                }
                if let EPERM | EACCES | ENOSYS = error {
                    barred(fd, error);
                }
                return real::fail(error);
            }
            Taken::Full { lost } => {
                if lost.is_some() {
                    tell!("accept({fd}): EMFILE, and a connection was lost with it");
                    let _ = sys::send(fd, &Upward::Lost.encode(), MSG_DONTWAIT | MSG_NOSIGNAL);
                } else {
                    tell!("accept({fd}): EMFILE, and what waits stays");
                }
                return real::fail(EMFILE);
            }
            Taken::End => {
                if let Some(error) = ended::answer(fd) {
                    return real::fail(error);
                }
                if let Some(stand_in) = stand_in::of(fd) {
                    // SAFETY: passed on to the caller.
                    return unsafe { stand_in.accept(fd, call) };
                }
                credit.iter_mut().for_each(Credit::look_again);
            }
        }
    }
}

/// Room for a connection that may be handed over. Where none is to be expected it is taken for granted, unless descriptors
/// were few at the last accept.
fn room_for(fd: c_int, credit: Option<&Credit>) -> Room {
    match credit {
        Some(credit) if !credit.may_hold_connections() && room::was_plenty() => Room::Plenty,
        _ => room::look(fd),
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

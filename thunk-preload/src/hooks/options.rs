//! getsockopt, setsockopt and shutdown on a lane: they mean the real listener, which the supervisor holds. On anything
//! else they are the kernel's.

use crate::kernel::abi::*;
use crate::kernel::sys;
use crate::lanes::{lane, swap};
use crate::sockets::owned;
use crate::supervisor::link;
use crate::supervisor::settings::Settings;
use crate::{credit, real};
use clustermon_protocol::address::{INET, INET6, UNIX};
use clustermon_protocol::identity::Identity;
use clustermon_protocol::message::{MAX_VALUE, Reply, Request};
use clustermon_protocol::record::Upward;
use core::ffi::{c_int, c_void};

/// Options of the waiting itself: they act on the lane, and on the real listener because connections inherit them.
fn is_timeout(level: c_int, name: c_int) -> bool {
    level == SOL_SOCKET && matches!(name, SO_RCVTIMEO | SO_SNDTIMEO | SO_RCVTIMEO_NEW | SO_SNDTIMEO_NEW)
}

/// Options whose value is a pointer or an fd, which means nothing in another process.
fn is_reference(level: c_int, name: c_int) -> bool {
    level == SOL_SOCKET
        && matches!(
            name,
            SO_ATTACH_FILTER | SO_ATTACH_BPF | SO_ATTACH_REUSEPORT_CBPF | SO_ATTACH_REUSEPORT_EBPF
        )
}

/// The kernel knows no option of this level for a lane.
fn is_foreign(level: c_int, result: c_int) -> bool {
    level != SOL_SOCKET && result < 0 && matches!(real::errno(), EOPNOTSUPP | ENOPROTOOPT)
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut u32,
) -> c_int {
    // SAFETY: the program's own pointer, null or readable.
    let room = unsafe { len.as_ref() }.copied();
    let errno = real::errno();
    // SAFETY: the program's own arguments.
    let result = unsafe { real::getsockopt(fd, level, name, value, len) };
    let Some(room) = room else {
        let failed = real::errno();
        let lane = if is_foreign(level, result) { lane::recognise(fd) } else { None };
        real::set_errno(failed);
        return match lane.map(|lane| has_level(lane.address.family(), level, true)) {
            Some(Ok(())) => real::fail(EFAULT),
            _ => result,
        };
    };
    let suspicious = level == SOL_SOCKET || is_foreign(level, result) || lane::hinted(fd);
    if !suspicious || is_timeout(level, name) || (level == SOL_SOCKET && name == SO_ERROR) {
        return result;
    }
    let failed = real::errno();
    let Some(identity) = lane::recognise(fd) else {
        real::set_errno(failed);
        return result;
    };
    let (family, of) = (identity.address.family(), if room as i32 >= 0 { Ok(()) } else { Err(EINVAL) });
    if let Err(error) = has_level(family, level, family == INET).and(of) {
        return real::fail(error);
    }
    let mut buffer = [0; MAX_VALUE];
    match read_option(&identity, level, name, room, &mut buffer) {
        Ok(count) => {
            let count = count.min(room as usize);
            // The kernel tries the place, by an option that every socket has.
            // SAFETY: the program's own pointers.
            if unsafe { real::getsockopt(fd, SOL_SOCKET, SO_TYPE, value, len) } < 0 {
                return -1;
            }
            // SAFETY: the program lent `room` bytes and the length; the kernel has just written to both.
            unsafe {
                core::ptr::copy_nonoverlapping(buffer.as_ptr(), value.cast::<u8>(), count);
                *len = count as u32;
            }
            real::set_errno(errno);
            0
        }
        Err(error) => real::fail(error),
    }
}

fn read_option(
    identity: &Identity,
    level: c_int,
    name: c_int,
    room: u32,
    buffer: &mut [u8; MAX_VALUE],
) -> Result<usize, c_int> {
    let family = identity.address.family();
    let known = match (level, name) {
        (SOL_SOCKET, SO_TYPE) => Some(SOCK_STREAM),
        (SOL_SOCKET, SO_DOMAIN) => Some(i32::from(family)),
        (SOL_SOCKET, SO_PROTOCOL) if family == UNIX => Some(0),
        // The supervisor knows whether it is MPTCP. Without one it is what it is most often: many libraries ask when they come by a
        // socket, and cannot use one that does not tell.
        (SOL_SOCKET, SO_PROTOCOL) => match asked_option(identity, level, name, room, buffer) {
            Ok(len) => return Ok(len),
            Err(_) => Some(IPPROTO_TCP),
        },
        (SOL_SOCKET, SO_ACCEPTCONN) => Some(1),
        _ => None,
    };
    if let Some(number) = known {
        buffer[..4].copy_from_slice(&number.to_ne_bytes());
        return Ok(4);
    }
    asked_option(identity, level, name, room, buffer)
}

/// What the supervisor says of the listening socket.
fn asked_option(
    identity: &Identity,
    level: c_int,
    name: c_int,
    room: u32,
    buffer: &mut [u8; MAX_VALUE],
) -> Result<usize, c_int> {
    let settings = Settings::read().ok_or(ENOPROTOOPT)?;
    let request = Request::GetOption { lane: identity.lane, level, name, size: room.min(MAX_VALUE as u32) };
    let answer = link::ask(&settings, &request, None).ok_or(ENOPROTOOPT)?;
    match answer.reply() {
        Some(Reply::Value(value)) if value.len() <= MAX_VALUE => {
            buffer[..value.len()].copy_from_slice(value);
            Ok(value.len())
        }
        // The lane is closed: another process of the program shut it down.
        Some(Reply::Errno(EBADF)) => Err(EINVAL),
        Some(Reply::Errno(error @ 1..)) => Err(error),
        _ => Err(ENOPROTOOPT),
    }
}

/// The kernel's answer where a socket of this family has no options of this level, which may be one of two.
fn has_level(family: u16, level: c_int, not_supported: bool) -> Result<(), c_int> {
    match level {
        SOL_SOCKET => Ok(()),
        _ if family == UNIX => Err(EOPNOTSUPP),
        IPPROTO_IP | IPPROTO_TCP => Ok(()),
        IPPROTO_IPV6 if family == INET6 => Ok(()),
        _ => Err(if not_supported { EOPNOTSUPP } else { ENOPROTOOPT }),
    }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn setsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: u32,
) -> c_int {
    // SAFETY: the program's own arguments.
    let kernel = || unsafe { real::setsockopt(fd, level, name, value, len) };
    let errno = real::errno();
    // Of the other levels a lane knows none.
    if (level == SOL_SOCKET || lane::hinted(fd)) && !is_timeout(level, name) {
        if let Some(identity) = lane::recognise(fd) {
            return write_option(&identity, level, name, value, len);
        }
        real::set_errno(errno);
    }
    let result = kernel();
    if result == 0
        && is_timeout(level, name)
        && lane::hinted(fd)
        && let Some(identity) = lane::recognise(fd)
    {
        let _ = write_option(&identity, level, name, value, len);
        real::set_errno(errno);
        return result;
    }
    if is_foreign(level, result) {
        let failed = real::errno();
        if let Some(identity) = lane::recognise(fd) {
            real::set_errno(errno);
            return write_option(&identity, level, name, value, len);
        }
        real::set_errno(failed);
    }
    if result == 0 && level == SOL_SOCKET && name == SO_REUSEPORT {
        note_reuse_port(fd);
        real::set_errno(errno);
    }
    result
}

fn write_option(identity: &Identity, level: c_int, name: c_int, value: *const c_void, len: u32) -> c_int {
    if (len as i32) < 0 {
        return real::fail(EINVAL);
    }
    if let Err(error) = has_level(identity.address.family(), level, false) {
        return real::fail(error);
    }
    if is_reference(level, name) || len as usize > MAX_VALUE {
        return real::fail(ENOPROTOOPT);
    }
    if !sys::is_readable(value, len as usize) {
        return real::fail(EFAULT);
    }
    let value: &[u8] = if len == 0 {
        &[]
    } else {
        // SAFETY: so many bytes are readable there.
        unsafe { core::slice::from_raw_parts(value.cast::<u8>(), len as usize) }
    };
    let errno = real::errno();
    let Some(settings) = Settings::read() else { return real::fail(ENOPROTOOPT) };
    let request = Request::SetOption { lane: identity.lane, level, name, value };
    let answer = link::ask(&settings, &request, None);
    match answer.as_ref().and_then(link::Answer::reply) {
        Some(Reply::Errno(0)) => {
            real::set_errno(errno);
            0
        }
        Some(Reply::Errno(EBADF)) => real::fail(EINVAL),
        Some(Reply::Errno(error)) => real::fail(error),
        _ => real::fail(ENOPROTOOPT),
    }
}

/// A program that sets SO_REUSEPORT itself means to listen more than once; the supervisor then allows it.
fn note_reuse_port(fd: c_int) {
    let inet =
        sys::getsockopt_int(fd, SOL_SOCKET, SO_TYPE) == Ok(SOCK_STREAM) && crate::sockets::kind::is_tcp(fd);
    if inet
        && let Some(cookie) = owned::cookie(fd)
        && let Some(settings) = Settings::read()
    {
        let _ = link::ask(&settings, &Request::ReusePort { cookie }, None);
    }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn shutdown(fd: c_int, how: c_int) -> c_int {
    let errno = real::errno();
    if (SHUT_RD..=SHUT_RDWR).contains(&how) && lane::recognise(fd).is_some() {
        // As on a listening socket: writing was never open.
        if how != SHUT_WR {
            shut(fd);
        }
        real::set_errno(errno);
        return 0;
    }
    // SAFETY: the program's own arguments.
    unsafe { real::shutdown(fd, how) }
}

/// Wakes who waits in accept(), and puts an ordinary socket in the place of the lane.
#[inline(never)]
fn shut(fd: c_int) {
    let Some(identity) = lane::recognise(fd) else { return };
    // What another process watches too is left where it is.
    let alone = swap::is_watched_with_parent(fd) == swap::Watched::Alone;
    let fresh = if alone { unlistening(&identity) } else { None };
    credit::forget(fd);
    let _ = sys::send(fd, &Upward::Shut.encode(), MSG_DONTWAIT | MSG_NOSIGNAL);
    let _ = sys::shutdown(fd, SHUT_RD);
    fresh.inspect(|&fresh| put(fd, fresh));
}

/// Makes an ordinary socket again of a lane that has been shut down, by whomever. False if it is none.
#[inline(never)]
pub(super) fn revive(fd: c_int, identity: &Identity) -> bool {
    let mut look = [PollFd { fd, events: POLLRDHUP, revents: 0 }];
    let is_shut = sys::poll(&mut look, 0).is_ok() && look[0].revents & (POLLRDHUP | POLLHUP) != 0;
    let Some(fresh) = is_shut.then(|| unlistening(identity)).flatten() else { return false };
    put(fd, fresh);
    true
}

fn put(fd: c_int, fresh: c_int) {
    if swap::replace(fd, fresh, swap::flags(fd)).is_ok() {
        lane::unhint(fd);
    }
}

/// What a listening TCP socket is after shutdown(): bound to where it was; it may even listen again. It has not the other
/// options of the one that was given away.
fn unlistening(identity: &Identity) -> Option<c_int> {
    let family = identity.address.family();
    if family == UNIX {
        return None;
    }
    let socket = sys::socket(i32::from(family), SOCK_STREAM | SOCK_CLOEXEC).ok()?;
    for (level, name) in [(SOL_SOCKET, SO_REUSEADDR), (IPPROTO_IPV6, IPV6_V6ONLY)] {
        let mut value = [0; MAX_VALUE];
        if (level != IPPROTO_IPV6 || family == INET6)
            && let Ok(len) = read_option(identity, level, name, 4, &mut value)
        {
            let _ = sys::setsockopt(socket, level, name, &value[..len]);
        }
    }
    let _ = sys::setsockopt_int(socket, SOL_SOCKET, SO_REUSEPORT, 1);
    if sys::bind(socket, identity.address.as_bytes()).is_err() {
        sys::close(socket);
        return None;
    }
    Some(socket)
}

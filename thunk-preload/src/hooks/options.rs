//! getsockopt, setsockopt and shutdown on a lane: they mean the real listener, which the supervisor holds. On anything
//! else they are the kernel's.

use crate::abi::*;
use crate::settings::Settings;
use crate::{lane, link, owned, real, sys};
use clustermon_protocol::address::UNIX;
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
    let Some(room) = room else { return result };
    let telling = level == SOL_SOCKET && matches!(name, SO_TYPE | SO_DOMAIN | SO_PROTOCOL | SO_ACCEPTCONN);
    let suspicious = (telling && result == 0) || is_foreign(level, result) || lane::hinted(fd);
    if !suspicious || is_timeout(level, name) || (level == SOL_SOCKET && name == SO_ERROR) {
        return result;
    }
    let failed = real::errno();
    let Some(identity) = lane::recognise(fd) else {
        real::set_errno(failed);
        return result;
    };
    if (room as i32) < 0 {
        return real::fail(EINVAL);
    }
    if value.is_null() && room > 0 {
        return real::fail(EFAULT);
    }
    let mut buffer = [0; MAX_VALUE];
    match read_option(&identity, level, name, room, &mut buffer) {
        Ok(count) => {
            let count = count.min(room as usize);
            // SAFETY: the program lent `room` bytes and the length; the kernel has just written to them or would have.
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
        (SOL_SOCKET, SO_PROTOCOL) => Some(if family == UNIX { 0 } else { IPPROTO_TCP }),
        (SOL_SOCKET, SO_ACCEPTCONN) => Some(1),
        _ => None,
    };
    if let Some(number) = known {
        buffer[..4].copy_from_slice(&number.to_ne_bytes());
        return Ok(4);
    }
    let settings = Settings::read().ok_or(ENOPROTOOPT)?;
    let request = Request::GetOption { lane: identity.lane, level, name, size: room.min(MAX_VALUE as u32) };
    let answer = link::ask(&settings, &request, None).ok_or(ENOPROTOOPT)?;
    match answer.reply() {
        Some(Reply::Value(value)) if value.len() <= MAX_VALUE => {
            buffer[..value.len()].copy_from_slice(value);
            Ok(value.len())
        }
        Some(Reply::Errno(error @ 1..)) => Err(error),
        _ => Err(ENOPROTOOPT),
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
    if lane::hinted(fd) && !is_timeout(level, name) {
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
    if is_reference(level, name) || len as usize > MAX_VALUE {
        return real::fail(ENOPROTOOPT);
    }
    if value.is_null() && len > 0 {
        return real::fail(EFAULT);
    }
    let value: &[u8] = if value.is_null() {
        &[]
    } else {
        // SAFETY: the program says that so many bytes are readable there.
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
        Some(Reply::Errno(error)) => real::fail(error),
        _ => real::fail(ENOPROTOOPT),
    }
}

/// A program that sets SO_REUSEPORT itself means to listen more than once; the supervisor then allows it.
fn note_reuse_port(fd: c_int) {
    let inet =
        sys::getsockopt_int(fd, SOL_SOCKET, SO_TYPE) == Ok(SOCK_STREAM) && super::bind_listen::is_tcp(fd);
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
    if (SHUT_RD..=SHUT_RDWR).contains(&how) && lane::hinted(fd) && lane::recognise(fd).is_some() {
        // As on a listening socket: writing was never open, and the end of reading wakes who waits in accept().
        if how != SHUT_WR {
            let _ = sys::send(fd, &Upward::Shut.encode(), MSG_DONTWAIT | MSG_NOSIGNAL);
            let _ = sys::shutdown(fd, SHUT_RD);
        }
        real::set_errno(errno);
        return 0;
    }
    // SAFETY: the program's own arguments.
    unsafe { real::shutdown(fd, how) }
}

//! getsockname and getpeername. A lane answers with the address that it stands for and has no peer; on anything else they
//! are the kernel's.

use crate::accept::take;
use crate::kernel::abi::*;
use crate::kernel::sys;
use crate::lanes::lane;
use crate::log::tell;
use crate::real;
use crate::sockets::owned::{OWN_PORT, OWNED};
use crate::supervisor::link;
use crate::supervisor::settings::Settings;
use clustermon_protocol::address::{Address, INET, INET6, MAX, UNIX};
use clustermon_protocol::message::{Reply, Request};
use core::ffi::{c_int, c_void};

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn getsockname(fd: c_int, address: *mut c_void, len: *mut u32) -> c_int {
    // SAFETY: the program's own pointer, null or readable.
    let Some(room) = (unsafe { len.as_ref() }).copied() else {
        // SAFETY: the program's own arguments.
        return unsafe { real::getsockname(fd, address, len) };
    };
    // SAFETY: the program's own arguments.
    let result = unsafe { real::getsockname(fd, address, len) };
    if result < 0 || address.is_null() {
        return result;
    }
    let Some(stands_for) = substitute(fd, address, room) else { return result };
    // SAFETY: the kernel has just written to both within `room`, which is put back.
    unsafe {
        *len = room;
        let _ = take::copy_address(&stands_for, address, len);
    }
    result
}

/// A listener has no peer: FastCGI programs tell by that whether their stdin is one.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn getpeername(fd: c_int, address: *mut c_void, len: *mut u32) -> c_int {
    // SAFETY: the program's own pointer, null or readable.
    let room = unsafe { len.as_ref() }.copied();
    // SAFETY: the program's own arguments.
    let result = unsafe { real::getpeername(fd, address, len) };
    // SAFETY: the kernel wrote the family there if there is room for it; it may be unaligned.
    let other = room.is_some_and(|room| room >= 2)
        && !address.is_null()
        && i32::from(unsafe { address.cast::<u16>().read_unaligned() }) != AF_UNIX;
    if result < 0 || other || lane::recognise(fd).is_none() {
        return result;
    }
    if let Some(room) = room {
        // SAFETY: the kernel has just written there; a call that fails leaves it alone.
        unsafe { *len = room };
    }
    real::fail(ENOTCONN)
}

/// The address to answer instead of the kernel's, if any. Most calls end at the first look at the family.
fn substitute(fd: c_int, address: *const c_void, room: u32) -> Option<Address> {
    let errno = real::errno();
    let family = if room >= 2 {
        // SAFETY: the kernel has just written at least the family there; it may be unaligned.
        i32::from(unsafe { address.cast::<u16>().read_unaligned() })
    } else {
        AF_UNIX
    };
    let found = if family == AF_UNIX {
        lane::recognise(fd)
            .map(|identity| identity.address)
            .or_else(|| OWNED.may_have(fd).and_then(owned_name))
    } else if family == i32::from(INET) || family == i32::from(INET6) {
        // SAFETY: as above; the port is the next two bytes in both families.
        let has_port = room >= 4 && unsafe { address.cast::<u16>().add(1).read_unaligned() } != 0;
        if has_port { None } else { portless(fd) }
    } else {
        None
    };
    real::set_errno(errno);
    found
}

/// A socket bound to port 0 has no port yet: it gets the cluster's now that somebody asks for it.
fn portless(fd: c_int) -> Option<Address> {
    let bound = address(fd)?;
    if bound.port() != Some(0) {
        return None;
    }
    if let Some(name) = OWNED.may_have(fd).and_then(owned_name) {
        return Some(name);
    }
    if sys::getsockopt_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT) != Ok(1) {
        return None;
    }
    let settings = Settings::read()?;
    // The program may have set the option itself, on an address that is its own affair.
    if !settings.shares(&bound, &[]) || !crate::sockets::kind::is_tcp(fd) {
        return None;
    }
    if !crate::sockets::any_port::bind_any(&settings, fd, &bound) {
        tell!("getsockname({fd}): {bound} gets a port of its own, which the kernel chooses");
        // The cluster has none for it. Who asks expects a port all the same: the kernel's, as without us.
        let _ = sys::setsockopt_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 0);
        let _ = sys::bind(fd, bound.as_bytes());
        crate::sockets::owned::cookie(fd).inspect(|&cookie| OWN_PORT.remember(cookie));
    }
    address(fd)
}

pub(super) fn owned_name(cookie: u64) -> Option<Address> {
    let settings = Settings::read()?;
    match link::ask(&settings, &Request::OwnedName { cookie }, None)?.reply()? {
        Reply::Name(address) => Some(address),
        _ => None,
    }
}

/// The fd stands for a listening TCP socket.
pub(super) fn is_tcp_lane(fd: c_int) -> bool {
    let errno = real::errno();
    let family = lane::recognise(fd).map(|identity| identity.address.family());
    real::set_errno(errno);
    family.is_some_and(|family| family != UNIX)
}

/// The kernel's address of a socket.
pub(super) fn address(fd: c_int) -> Option<Address> {
    let mut bytes = [0; MAX];
    let len = sys::getsockname(fd, &mut bytes).ok()?;
    Address::from_raw(&bytes[..len])
}

//! UDP sockets: bind() to an address that the user shares makes the socket a member of the cluster's group there, and connect() takes it out
//! again. Every other one is the kernel's, and so is this one if the supervisor cannot be asked.

use super::socket_names;
use crate::kernel::abi::*;
use crate::kernel::sys;
use crate::lanes::swap;
use crate::log::{Errno, tell};
use crate::pulse::member::DATAGRAMS;
use crate::real;
use crate::sockets::owned;
use crate::supervisor::link;
use crate::supervisor::settings::Settings;
use clustermon_protocol::address::{Address, INET, INET6, MAX};
use clustermon_protocol::message::{Reply, Request};
use core::ffi::{c_int, c_void};

/// What came of a bind().
pub(super) enum Bound {
    /// It is the kernel's.
    ByKernel,
    Done,
    Failed(c_int),
}

/// Binds the socket if it is one of UDP and its address is shared.
#[inline(never)]
pub(super) fn bind(fd: c_int, address: *const c_void, len: u32) -> Bound {
    let len = len as usize;
    if !(2..=MAX).contains(&len) || !sys::is_readable(address, len) {
        return Bound::ByKernel;
    }
    // SAFETY: so many bytes are readable there.
    let raw = unsafe { core::slice::from_raw_parts(address.cast::<u8>(), len) };
    let Some(address) = Address::from_raw(raw) else { return Bound::ByKernel };
    if !is_udp(fd, address.family()) || address.port() == Some(0) {
        return Bound::ByKernel;
    }
    let Some(settings) = Settings::read().filter(|settings| settings.shares_datagrams(&address)) else {
        return Bound::ByKernel;
    };
    if !swap::is_replaceable(fd) {
        tell!("bind({fd}) to udp:{address}: left to the kernel, for its epoll registrations are not known");
        return Bound::ByKernel;
    }
    let meant = sys::getsockopt_int(fd, SOL_SOCKET, SO_REUSEPORT) == Ok(1);
    let flags = swap::flags(fd);
    let answer = link::ask(&settings, &Request::BindDatagrams { fd, address, meant }, Some(fd));
    let Some(mut answer) = answer else {
        // It may have been bound before the supervisor ended.
        let is_bound = socket_names::address(fd) == Some(address);
        tell!("bind({fd}) to udp:{address}: left to the kernel, for the supervisor cannot be asked");
        return if is_bound { Bound::Done } else { Bound::ByKernel };
    };
    let instead = answer.take_fd();
    match (answer.reply(), instead) {
        (Some(Reply::Member), instead) => {
            if instead.is_some_and(|instead| swap::replace(fd, instead, flags).is_err()) {
                return Bound::ByKernel;
            }
            DATAGRAMS.add(fd);
            let which = if instead.is_some() { "a socket of the cluster's" } else { "its own socket" };
            tell!("bind({fd}) to udp:{address}: shared, by {which}");
            Bound::Done
        }
        (Some(Reply::Errno(error @ 1..)), None) => {
            tell!("bind({fd}) to udp:{address}: the supervisor says {}", Errno(error));
            Bound::Failed(error)
        }
        (_, other) => {
            other.inspect(|&other| sys::close(other));
            tell!("bind({fd}) to udp:{address}: left to the kernel");
            Bound::ByKernel
        }
    }
}

/// The socket has been connected: from then on it takes datagrams of one peer only.
#[inline]
pub(super) fn connected(fd: c_int) {
    if DATAGRAMS.has(fd) {
        leave(fd);
    }
}

#[cold]
#[inline(never)]
fn leave(fd: c_int) {
    let errno = real::errno();
    DATAGRAMS.remove(fd);
    if sys::getsockopt_int(fd, SOL_SOCKET, SO_TYPE) == Ok(SOCK_DGRAM)
        && let Some(cookie) = owned::cookie(fd)
        && let Some(settings) = Settings::read()
    {
        tell!("connect({fd}): it is shared no more");
        let _ = link::ask(&settings, &Request::LeaveDatagrams { cookie }, None);
    }
    real::set_errno(errno);
}

fn is_udp(fd: c_int, family: u16) -> bool {
    [INET, INET6].contains(&family)
        && sys::getsockopt_int(fd, SOL_SOCKET, SO_TYPE) == Ok(SOCK_DGRAM)
        && sys::getsockopt_int(fd, SOL_SOCKET, SO_DOMAIN) == Ok(i32::from(family))
        && sys::getsockopt_int(fd, SOL_SOCKET, SO_PROTOCOL) == Ok(IPPROTO_UDP)
}

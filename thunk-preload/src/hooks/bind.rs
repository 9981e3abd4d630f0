//! bind: the addresses that the cluster shares are bound with it, or in name only. What is not a shared TCP or unix stream
//! listener is the kernel's, or a UDP socket's.

use super::{datagrams, socket_names};
use crate::kernel::{abi::*, sys};
use crate::log::{Errno, tell};
use crate::real;
use crate::sockets::any_port::bind_any;
use crate::sockets::kind::is_stream;
use crate::sockets::owned::{self, OWN_PORT, OWNED, PORTLESS};
use crate::sockets::place;
use crate::supervisor::link;
use crate::supervisor::settings::Settings;
use clustermon_protocol::address::{Address, MAX};
use clustermon_protocol::message::{Reply, Request};
use core::ffi::{c_int, c_void};

/// How long a sibling may take from bind to listen on a unix path, in tries of 10 ms.
const SIBLING_TRIES: u32 = 30;
/// A socket file that changed so recently may be a sibling's, in seconds.
const SIBLING_AGE: i64 = 2;

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn bind(fd: c_int, address: *const c_void, len: u32) -> c_int {
    // SAFETY: the program's own arguments.
    let kernel = || unsafe { real::bind(fd, address, len) };
    let errno = real::errno();
    if socket_names::is_tcp_lane(fd) {
        // The kernel would take the lane for a unix socket.
        let is_memory = sys::is_readable(address, (len as usize).min(MAX));
        return real::fail(if is_memory { EINVAL } else { EFAULT });
    }
    let shared = shared_bind(fd, address, len);
    real::set_errno(errno);
    let Some((settings, address)) = shared else {
        let done = datagrams::bind(fd, address, len);
        real::set_errno(errno);
        return match done {
            datagrams::Bound::ByKernel => kernel(),
            datagrams::Bound::Done => 0,
            datagrams::Bound::Failed(error) => real::fail(error),
        };
    };
    if OWNED.has(fd).is_some() {
        // It is bound already, for all that the program knows.
        return real::fail(EINVAL);
    }
    match address.port() {
        // The port is chosen when somebody asks for it or listens: a socket that only connects stays the kernel's.
        Some(0) => {
            let set = sys::getsockopt_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT) == Ok(0)
                && sys::setsockopt_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1).is_ok();
            tell!("bind({fd}) to {address}: shared, its port is chosen when somebody asks for it");
            real::set_errno(errno);
            let result = kernel();
            if result == 0 && set {
                owned::cookie(fd).inspect(|&cookie| PORTLESS.remember(cookie));
            }
            result
        }
        Some(_) => {
            let set = sys::getsockopt_int(fd, SOL_SOCKET, SO_REUSEPORT) == Ok(0)
                && sys::setsockopt_int(fd, SOL_SOCKET, SO_REUSEPORT, 1).is_ok();
            let result = kernel();
            tell_bound(fd, &address, result);
            let result = if result < 0 { or_by_supervisor(&settings, fd, &address, errno) } else { result };
            if result < 0 && set {
                let _ = sys::setsockopt_int(fd, SOL_SOCKET, SO_REUSEPORT, 0);
            }
            result
        }
        None => {
            let result = kernel();
            tell_bound(fd, &address, result);
            if result < 0 { or_owned(&settings, fd, &address, errno) } else { result }
        }
    }
}

/// The address, if this is a stream socket and the rules share it.
fn shared_bind(fd: c_int, address: *const c_void, len: u32) -> Option<(Settings, Address)> {
    let len = len as usize;
    if !(2..=MAX).contains(&len) || !sys::is_readable(address, len) {
        return None;
    }
    // SAFETY: so many bytes are readable there.
    let raw = unsafe { core::slice::from_raw_parts(address.cast::<u8>(), len) };
    let address = Address::from_raw(raw)?;
    if !is_stream(fd, address.family()) {
        return None;
    }
    let settings = Settings::read()?;
    if let Some(cookie) = PORTLESS.has(fd) {
        // A second bind: it fails once the first is complete.
        if socket_names::address(fd).is_none_or(|bound| !bind_any(&settings, fd, &bound)) {
            PORTLESS.forget(cookie);
        }
    }
    let shared = place::is_shared(&settings, &address);
    if !shared {
        tell!("bind({fd}) to {address}: private, left to the kernel");
        // Where the program sets SO_REUSEPORT itself, the port that it gets would look like a shared one.
        if address.port() == Some(0) && sys::getsockopt_int(fd, SOL_SOCKET, SO_REUSEPORT) == Ok(1) {
            owned::cookie(fd).inspect(|&cookie| OWN_PORT.remember(cookie));
        }
    }
    shared.then_some((settings, address))
}

fn tell_bound(fd: c_int, address: &Address, result: c_int) {
    if result < 0 {
        tell!("bind({fd}) to {address}: the kernel says {}", Errno(real::errno()));
    } else {
        tell!("bind({fd}) to {address}: shared");
    }
}

/// The kernel refused the address: 0 if the supervisor has bound it, or it is the cluster's own, with `errno` as it was `before`.
#[inline(never)]
fn or_by_supervisor(settings: &Settings, fd: c_int, address: &Address, before: c_int) -> c_int {
    if real::errno() != EACCES {
        return or_owned(settings, fd, address, before);
    }
    let answer = link::ask(settings, &Request::BindNamed { address: *address }, Some(fd));
    match answer.as_ref().and_then(|answer| answer.reply()) {
        Some(Reply::Errno(0)) => tell!("bind({fd}) to {address}: the supervisor has bound it"),
        Some(Reply::Owned) => {
            owned::cookie(fd).inspect(|&cookie| OWNED.remember(cookie));
            tell!("bind({fd}) to {address}: in name only, it is the cluster's");
        }
        Some(Reply::Errno(error)) => return real::fail(error),
        _ => return real::fail(EACCES),
    }
    real::set_errno(before);
    0
}

/// The kernel refused the address: 0 if it is the cluster's own, with `errno` as it was `before` (some event loops read
/// it whatever bind() returned), else the kernel's answer.
#[inline(never)]
fn or_owned(settings: &Settings, fd: c_int, address: &Address, before: c_int) -> c_int {
    let errno = real::errno();
    if errno == EADDRINUSE
        && let Some(cookie) = owned::cookie(fd)
    {
        for _ in 0..SIBLING_TRIES {
            let found = place::Found::of(address);
            let request = Request::Owns { cookie, address: *address, place: found.place() };
            let answer = link::ask(settings, &request, None);
            if answer.and_then(|answer| answer.reply().map(|reply| reply == Reply::Owned)) == Some(true) {
                OWNED.remember(cookie);
                tell!("bind({fd}) to {address}: in name only, it is the cluster's");
                real::set_errno(before);
                return 0;
            }
            // A sibling may have bound the path and not yet listened: then the file is young.
            if found.changed == 0 || sys::wall_seconds() - found.changed > SIBLING_AGE {
                break;
            }
            let _ = sys::poll(&mut [], 10);
        }
    }
    real::fail(errno)
}

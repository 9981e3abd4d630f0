//! connect. It never starts from a socket whose bind was only in name; and while its worker boots, a process finds nobody at
//! an address that only others of the cluster serve, as it would alone. Every other one is the kernel's.

use super::{datagrams, socket_names};
use crate::kernel::abi::*;
use crate::kernel::sys;
use crate::log::{Errno, tell};
use crate::real;
use crate::sockets::kind;
use crate::sockets::owned::OWNED;
use crate::sockets::place;
use crate::supervisor::link;
use crate::supervisor::settings::Settings;
use clustermon_protocol::address::{Address, MAX};
use clustermon_protocol::message::{Reply, Request};
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicU32, Ordering};

/// How often this process asks the supervisor before it connects: a program that tests its address does so early. Once the
/// worker has booted, or where there is none, it does not ask at all.
static QUESTIONS_LEFT: AtomicU32 = AtomicU32::new(64);

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn connect(fd: c_int, to: *const c_void, len: u32) -> c_int {
    if QUESTIONS_LEFT.load(Ordering::Relaxed) != 0 && is_refused(fd, to, len) {
        return real::fail(ECONNREFUSED);
    }
    if let Some(cookie) = OWNED.may_have(fd) {
        let errno = real::errno();
        match socket_names::owned_name(cookie) {
            Some(name) => {
                if let Err(error) = sys::bind(fd, name.as_bytes())
                    && error != EINVAL
                {
                    tell!("connect({fd}): its address {name} cannot be bound: {}", Errno(error));
                    return real::fail(error);
                }
            }
            // The kernel would pick any address for it.
            None if OWNED.has(fd).is_some() => return real::fail(EADDRINUSE),
            None => {}
        }
        OWNED.forget(cookie);
        real::set_errno(errno);
    }
    // SAFETY: the program's own arguments.
    let result = unsafe { real::connect(fd, to, len) };
    if result == 0 {
        datagrams::connected(fd);
    }
    if result < 0
        && !matches!(real::errno(), EINPROGRESS | EINTR)
        && len >= 2
        && socket_names::is_tcp_lane(fd)
    {
        return real::fail(EISCONN);
    }
    result
}

/// Whether the supervisor says that nobody is there. It says so of a unix path only where the file is there, so that
/// ECONNREFUSED is right for it; without a file the question is the kernel's, which says ENOENT.
#[cold]
#[inline(never)]
fn is_refused(fd: c_int, to: *const c_void, len: u32) -> bool {
    let errno = real::errno();
    let refused = (|| {
        let len = len as usize;
        if !(2..=MAX).contains(&len) || !sys::is_readable(to, len) {
            return None;
        }
        // SAFETY: so many bytes are readable there.
        let raw = unsafe { core::slice::from_raw_parts(to.cast::<u8>(), len) };
        let address = Address::from_raw(raw)?;
        if address.is_unnamed() || !kind::is_stream(fd, address.family()) {
            return None;
        }
        let Some(settings) = Settings::from_variables() else {
            QUESTIONS_LEFT.store(0, Ordering::Relaxed);
            return None;
        };
        // Two threads at once may take the same one from it: it is a bound, not a count.
        let left = QUESTIONS_LEFT.load(Ordering::Relaxed).saturating_sub(1);
        QUESTIONS_LEFT.store(left, Ordering::Relaxed);
        let found = place::Found::of(&address);
        let request = Request::Connects { address, place: found.place() };
        let answer = link::ask(&settings, &request, None);
        match answer.as_ref().and_then(link::Answer::reply) {
            Some(Reply::Errno(ECONNREFUSED)) => {
                tell!("connect({fd}) to {address}: ECONNREFUSED, for this worker does not listen there yet");
                Some(true)
            }
            Some(Reply::NotOwned) => None,
            _ => {
                QUESTIONS_LEFT.store(0, Ordering::Relaxed);
                None
            }
        }
    })();
    real::set_errno(errno);
    refused == Some(true)
}

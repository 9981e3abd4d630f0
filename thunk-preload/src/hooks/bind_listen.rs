//! bind and listen: how a listener joins the cluster. What is not a shared TCP or unix stream listener is the kernel's, or
//! a UDP socket's.

use super::any_port::{bind_any, is_tcp};
use super::{datagrams, options, socket_names};
use crate::abi::*;
use crate::log::{Errno, tell};
use crate::owned::{self, CLUSTER_PORT, OWN_PORT, OWNED, PORTLESS};
use crate::settings::{Settings, remembered};
use crate::{credit, lane, link, member, place, pulse, real, release, settled, swap, sys};
use clustermon_protocol::address::{Address, INET, INET6, MAX, UNIX};
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
            let result = if result < 0 { or_owned(&settings, fd, &address, errno) } else { result };
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
    let shared = is_shared(&settings, &address);
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

#[inline(never)]
fn is_shared(settings: &Settings, address: &Address) -> bool {
    settings.shares(address, place::Found::of(address).place().path)
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

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn listen(fd: c_int, backlog: c_int) -> c_int {
    let errno = real::errno();
    let outcome = join(fd, backlog);
    match outcome {
        Outcome::Done => {
            credit::prepare(fd);
            pulse::attach();
            release::prepare();
        }
        Outcome::Member => pulse::attach(),
        Outcome::Kernel | Outcome::Failed(_) => {}
    }
    real::set_errno(errno);
    match outcome {
        Outcome::Kernel => {
            // SAFETY: the program's own arguments.
            unsafe { real::listen(fd, backlog) }
        }
        Outcome::Done | Outcome::Member => 0,
        Outcome::Failed(error) => real::fail(error),
    }
}

enum Outcome {
    Kernel,
    Done,
    /// It listens, on a socket of its own.
    Member,
    Failed(c_int),
}

/// Its frame is large: what follows a success is for the caller to do.
#[inline(never)]
fn join(fd: c_int, backlog: c_int) -> Outcome {
    if let Some(identity) = lane::recognise(fd)
        && !options::revive(fd, &identity)
    {
        tell!("listen({fd}): it is a lane already");
        return Outcome::Done;
    }
    let Some(mut address) = socket_names::address(fd) else { return Outcome::Kernel };
    if !is_stream(fd, address.family()) || is_connected(fd, address.family()) {
        return Outcome::Kernel;
    }
    let Some(settings) = Settings::read() else {
        tell!("listen({fd}) on {address}: left to the kernel, for no supervisor is named in the environment");
        return Outcome::Kernel;
    };
    let mut owned_here = None;
    if address.port() == Some(0) || address.is_unnamed() {
        // Not bound: in name only, or not at all, which the kernel answers with a random port.
        match unbound(&settings, fd, &address) {
            Unbound::Owned(cookie, name) => {
                owned_here = Some(cookie);
                address = name;
            }
            Unbound::Bound => match socket_names::address(fd) {
                Some(bound) => address = bound,
                None => return Outcome::Kernel,
            },
            Unbound::Private => {
                tell!("listen({fd}) on {address}: private, left to the kernel");
                return Outcome::Kernel;
            }
            Unbound::Unknown => {
                tell!(
                    "listen({fd}) on {address}: EADDRINUSE, for the supervisor cannot be asked whose it is"
                );
                return Outcome::Failed(EADDRINUSE);
            }
        }
    }
    if let Some(cookie) = OWN_PORT.has(fd) {
        OWN_PORT.forget(cookie);
        tell!("listen({fd}) on {address}: a port of its own, left to the kernel");
        return Outcome::Kernel;
    }
    let by_cluster = CLUSTER_PORT.has(fd).inspect(|&cookie| CLUSTER_PORT.forget(cookie)).is_some();
    let tcp = address.family() != UNIX;
    // A private bind to port 0 has a port by now; what tells it from a shared one is that we did not prepare it.
    let prepared = !tcp
        || owned_here.is_some()
        || sys::getsockopt_int(fd, SOL_SOCKET, SO_REUSEPORT).is_ok_and(|on| on != 0);
    if !prepared || !(by_cluster || is_shared(&settings, &address)) {
        tell!("listen({fd}) on {address}: private, left to the kernel");
        return Outcome::Kernel;
    }
    if !tcp && owned_here.is_none() {
        // SO_PEERCRED shows a client who called listen(): that has to be the program.
        // SAFETY: the program's own socket.
        if unsafe { real::listen(fd, backlog.max(settings.backlog)) } < 0 {
            tell!("listen({fd}) on {address}: the kernel says {}", Errno(real::errno()));
            return Outcome::Failed(real::errno());
        }
    }
    if !swap::is_replaceable(fd) {
        tell!(
            "listen({fd}) on {address}: its epoll registrations are not known, so no lane can take its place"
        );
        tell_alone(fd, &address, owned_here.is_some());
        return if owned_here.is_some() { Outcome::Failed(EADDRINUSE) } else { Outcome::Kernel };
    }
    let flags = swap::flags(fd);
    let Some(mut answer) = ask_to_listen(&settings, fd, backlog, &address) else {
        tell_alone(fd, &address, owned_here.is_some());
        return if owned_here.is_some() { Outcome::Failed(EADDRINUSE) } else { Outcome::Kernel };
    };
    let fallen = answer.take_fd();
    match (answer.reply(), fallen) {
        (Some(Reply::Lane { lane }), Some(end)) => {
            if swap::replace(fd, end, flags).is_err() {
                tell_alone(fd, &address, owned_here.is_some());
                return if owned_here.is_some() { Outcome::Failed(EADDRINUSE) } else { Outcome::Kernel };
            }
            lane::hint(fd);
            settled::own(fd);
            remembered::keep(&settings);
            owned_here.inspect(|&cookie| OWNED.forget(cookie));
            tell!("listen({fd}) on {address}: managed, by lane {lane}");
            Outcome::Done
        }
        (Some(Reply::Member), instead) => {
            let replaced = instead.map(|instead| swap::replace(fd, instead, flags));
            if replaced.is_some_and(|replaced| replaced.is_err()) {
                tell_alone(fd, &address, false);
                return Outcome::Kernel;
            }
            member::own(fd);
            tell!(
                "listen({fd}) on {address}: managed, by {}",
                if replaced.is_some() { "a socket of the cluster's" } else { "its own socket" }
            );
            Outcome::Member
        }
        (Some(Reply::Errno(error @ 1..)), None) => {
            tell!("listen({fd}) on {address}: the supervisor says {}", Errno(error));
            Outcome::Failed(error)
        }
        (_, other) => {
            other.inspect(|&other| sys::close(other));
            tell_alone(fd, &address, owned_here.is_some());
            if owned_here.is_some() { Outcome::Failed(EADDRINUSE) } else { Outcome::Kernel }
        }
    }
}

/// No lane came of it.
#[inline(never)]
fn tell_alone(fd: c_int, address: &Address, owned: bool) {
    if owned {
        tell!("listen({fd}) on {address}: EADDRINUSE, for it is bound in name only and there is no lane");
    } else {
        tell!("listen({fd}) on {address}: left to the kernel, for there is no lane");
    }
}

#[inline(never)]
fn ask_to_listen(settings: &Settings, fd: c_int, backlog: c_int, address: &Address) -> Option<link::Answer> {
    let found = place::Found::of(address);
    link::ask(settings, &Request::Listen { fd, backlog, place: found.place() }, Some(fd))
}

enum Unbound {
    Owned(u64, Address),
    Bound,
    Private,
    /// The supervisor could not be asked; an owned socket must not listen on a random port.
    Unknown,
}

fn unbound(settings: &Settings, fd: c_int, address: &Address) -> Unbound {
    let Some(cookie) = owned::cookie(fd) else { return Unbound::Private };
    let Some(answer) = link::ask(settings, &Request::OwnedName { cookie }, None) else {
        return Unbound::Unknown;
    };
    if let Some(Reply::Name(name)) = answer.reply() {
        return Unbound::Owned(cookie, name);
    }
    if address.is_unnamed() || !settings.shares(address, &[]) {
        return Unbound::Private;
    }
    if bind_any(settings, fd, address) { Unbound::Bound } else { Unbound::Private }
}

/// A TCP socket that is, or was, an end of a connection: the kernel refuses to listen there. Of unix sockets it is asked
/// before anybody else.
fn is_connected(fd: c_int, family: u16) -> bool {
    let mut state = [TCP_STATE_CLOSE];
    family != UNIX
        && sys::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &mut state).is_ok()
        && !matches!(state, [TCP_STATE_CLOSE | TCP_STATE_LISTEN])
}

pub(super) fn is_stream(fd: c_int, family: u16) -> bool {
    let stream = sys::getsockopt_int(fd, SOL_SOCKET, SO_TYPE) == Ok(SOCK_STREAM)
        && sys::getsockopt_int(fd, SOL_SOCKET, SO_DOMAIN) == Ok(i32::from(family));
    stream && (family == UNIX || ([INET, INET6].contains(&family) && is_tcp(fd)))
}

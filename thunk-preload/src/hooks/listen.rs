//! listen: how a listener joins the cluster. What is not a shared TCP or unix stream listener is the kernel's.

use super::{options, socket_names};
use crate::kernel::{abi::*, sys};
use crate::lanes::{lane, settled, swap};
use crate::log::{Errno, tell};
use crate::pulse::member;
use crate::receive::release;
use crate::sockets::any_port::bind_any;
use crate::sockets::kind::{is_connected, is_stream};
use crate::sockets::owned::{self, CLUSTER_PORT, OWN_PORT, OWNED};
use crate::sockets::place;
use crate::supervisor::link;
use crate::supervisor::settings::{Settings, remembered};
use crate::{credit, pulse, real};
use clustermon_protocol::address::{Address, UNIX};
use clustermon_protocol::message::{Reply, Request};
use core::ffi::c_int;

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn listen(fd: c_int, backlog: c_int) -> c_int {
    let errno = real::errno();
    let outcome = join(fd, backlog);
    match outcome {
        ListenOutcome::Done => {
            credit::prepare(fd);
            pulse::attach();
            release::prepare();
        }
        ListenOutcome::Member => pulse::attach(),
        ListenOutcome::Kernel | ListenOutcome::Failed(_) => {}
    }
    real::set_errno(errno);
    match outcome {
        ListenOutcome::Kernel => {
            // SAFETY: the program's own arguments.
            unsafe { real::listen(fd, backlog) }
        }
        ListenOutcome::Done | ListenOutcome::Member => 0,
        ListenOutcome::Failed(error) => real::fail(error),
    }
}

enum ListenOutcome {
    Kernel,
    Done,
    /// It listens, on a socket of its own.
    Member,
    Failed(c_int),
}

/// Its frame is large: what follows a success is for the caller to do.
#[inline(never)]
fn join(fd: c_int, backlog: c_int) -> ListenOutcome {
    if let Some(identity) = lane::recognise(fd)
        && !options::revive(fd, &identity)
    {
        tell!("listen({fd}): it is a lane already");
        return ListenOutcome::Done;
    }
    let Some(mut address) = socket_names::address(fd) else { return ListenOutcome::Kernel };
    if !is_stream(fd, address.family()) || is_connected(fd, address.family()) {
        return ListenOutcome::Kernel;
    }
    let Some(settings) = Settings::read() else {
        tell!("listen({fd}) on {address}: left to the kernel, for no supervisor is named in the environment");
        return ListenOutcome::Kernel;
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
                None => return ListenOutcome::Kernel,
            },
            Unbound::Private => {
                tell!("listen({fd}) on {address}: private, left to the kernel");
                return ListenOutcome::Kernel;
            }
            Unbound::Unknown => {
                tell!(
                    "listen({fd}) on {address}: EADDRINUSE, for the supervisor cannot be asked whose it is"
                );
                return ListenOutcome::Failed(EADDRINUSE);
            }
        }
    }
    if let Some(cookie) = OWN_PORT.has(fd) {
        OWN_PORT.forget(cookie);
        tell!("listen({fd}) on {address}: a port of its own, left to the kernel");
        return ListenOutcome::Kernel;
    }
    let by_cluster = CLUSTER_PORT.has(fd).inspect(|&cookie| CLUSTER_PORT.forget(cookie)).is_some();
    let tcp = address.family() != UNIX;
    // A private bind to port 0 has a port by now; what tells it from a shared one is that we did not prepare it.
    let prepared = !tcp
        || owned_here.is_some()
        || sys::getsockopt_int(fd, SOL_SOCKET, SO_REUSEPORT).is_ok_and(|on| on != 0);
    if !prepared || !(by_cluster || place::is_shared(&settings, &address)) {
        tell!("listen({fd}) on {address}: private, left to the kernel");
        return ListenOutcome::Kernel;
    }
    if !tcp && owned_here.is_none() {
        // SO_PEERCRED shows a client who called listen(): that has to be the program.
        // SAFETY: the program's own socket.
        if unsafe { real::listen(fd, backlog.max(settings.backlog)) } < 0 {
            tell!("listen({fd}) on {address}: the kernel says {}", Errno(real::errno()));
            return ListenOutcome::Failed(real::errno());
        }
    }
    if !swap::is_replaceable(fd) {
        tell!(
            "listen({fd}) on {address}: its epoll registrations are not known, so no lane can take its place"
        );
        tell_alone(fd, &address, owned_here.is_some());
        return if owned_here.is_some() { ListenOutcome::Failed(EADDRINUSE) } else { ListenOutcome::Kernel };
    }
    let flags = swap::flags(fd);
    let Some(mut answer) = ask_to_listen(&settings, fd, backlog, &address) else {
        tell_alone(fd, &address, owned_here.is_some());
        return if owned_here.is_some() { ListenOutcome::Failed(EADDRINUSE) } else { ListenOutcome::Kernel };
    };
    let fallen = answer.take_fd();
    match (answer.reply(), fallen) {
        (Some(Reply::Lane { lane }), Some(end)) => {
            if swap::replace(fd, end, flags).is_err() {
                tell_alone(fd, &address, owned_here.is_some());
                return if owned_here.is_some() {
                    ListenOutcome::Failed(EADDRINUSE)
                } else {
                    ListenOutcome::Kernel
                };
            }
            lane::hint(fd);
            settled::own(fd);
            remembered::keep(&settings);
            owned_here.inspect(|&cookie| OWNED.forget(cookie));
            tell!("listen({fd}) on {address}: managed, by lane {lane}");
            ListenOutcome::Done
        }
        (Some(Reply::Member), instead) => {
            let replaced = instead.map(|instead| swap::replace(fd, instead, flags));
            if replaced.is_some_and(|replaced| replaced.is_err()) {
                tell_alone(fd, &address, false);
                return ListenOutcome::Kernel;
            }
            member::own(fd);
            tell!(
                "listen({fd}) on {address}: managed, by {}",
                if replaced.is_some() { "a socket of the cluster's" } else { "its own socket" }
            );
            ListenOutcome::Member
        }
        (Some(Reply::Errno(error @ 1..)), None) => {
            tell!("listen({fd}) on {address}: the supervisor says {}", Errno(error));
            ListenOutcome::Failed(error)
        }
        (_, other) => {
            other.inspect(|&other| sys::close(other));
            tell_alone(fd, &address, owned_here.is_some());
            if owned_here.is_some() { ListenOutcome::Failed(EADDRINUSE) } else { ListenOutcome::Kernel }
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

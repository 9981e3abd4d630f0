//! What accept() answers on a lane that has ended. If the supervisor is gone something takes the lane's place: a hung-up lane
//! would be readable for ever and the program would spin. It closes no connection.

use crate::accept::stand_in;
use crate::credit;
use crate::kernel::abi::*;
use crate::kernel::sys;
use crate::lanes::{lane, swap};
use crate::log::tell;
use crate::receive::record;
use crate::supervisor::link;
use crate::supervisor::settings::Settings;
use clustermon_protocol::address::MAX;
use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, Ordering};

/// The process that was told to stop for it: once, however many threads wait.
static STOPPED: AtomicU32 = AtomicU32::new(0);
/// The process of which a thread replaces a lane; 0 is none. A forked child takes over what its parent left.
static REPLACING: AtomicU32 = AtomicU32::new(0);
/// How long a thread waits for another that does, in milliseconds. A signal handler of that thread gives up in time.
const PATIENCE: i64 = 1_000;

/// The error that accept() gives, or none: then it goes on with what stands in the place of the lane. Either the program shut its
/// listener down, or the supervisor closed the lane, or it is gone and the program stops or lives on.
pub(crate) fn answer(fd: i32) -> Option<c_int> {
    let settings = Settings::read();
    let keep = settings.as_ref().is_some_and(|settings| settings.keep);
    // Another thread that waited here may have come first.
    if !is_replaced(fd) {
        let gone = is_hung_up(fd) && !settings.as_ref().is_some_and(link::is_up);
        if gone {
            if settings.is_some() && !keep {
                // Nobody is to wait in the queue of a process that ends.
                credit::shut_down_all();
            }
            replace(fd, keep);
        } else if !is_replaced(fd) {
            credit::forget(fd);
            tell!("accept({fd}): EINVAL, for the lane was shut down or closed");
            return Some(EINVAL);
        }
    }
    if keep {
        tell!("accept({fd}): the supervisor is gone; this process goes on with what it has");
        return is_hung_up(fd).then_some(EAGAIN);
    }
    let me = sys::getpid();
    if STOPPED.swap(me, Ordering::Relaxed) != me {
        tell!("accept({fd}): the supervisor is gone; SIGTERM to this process");
        sys::kill(me, SIGTERM);
    }
    Some(if record::blocking(fd) { EINTR } else { EAGAIN })
}

/// Replaces the lane of a supervisor that is gone: by the shared listening socket where this process has it and lives on, else by
/// a socket on which nothing happens. One thread does, and others wait for it.
fn replace(fd: i32, keep: bool) {
    let me = sys::getpid();
    let deadline = sys::now() + PATIENCE;
    loop {
        let owner = REPLACING.load(Ordering::Relaxed);
        if owner != me && REPLACING.compare_exchange(owner, me, Ordering::Acquire, Ordering::Relaxed).is_ok()
        {
            break;
        }
        if sys::now() >= deadline {
            return;
        }
        let _ = sys::poll(&mut [], 1);
    }
    if !(is_replaced(fd) || keep && stand_in::put(fd)) {
        if let Ok(inert) = inert(fd) {
            swap::replace_dead(fd, inert);
        }
        lane::hint(fd);
    }
    REPLACING.store(0, Ordering::Release);
}

/// Something stands in the place of the lane.
fn is_replaced(fd: i32) -> bool {
    stand_in::of(fd).is_some() || is_inert(fd)
}

/// The supervisor has no end of it any more. Where it could not be replaced, who waits on would come back here at once, for
/// ever.
fn is_hung_up(fd: i32) -> bool {
    let mut look = [PollFd { fd, events: 0, revents: 0 }];
    sys::poll(&mut look, 0).is_ok() && look[0].revents & POLLHUP != 0
}

fn is_inert(fd: i32) -> bool {
    sys::getsockopt_int(fd, SOL_SOCKET, SO_TYPE) == Ok(SOCK_DGRAM)
        && sys::getsockopt_int(fd, SOL_SOCKET, SO_DOMAIN) == Ok(AF_UNIX)
}

/// A socket that nobody writes to. It has the lane's name, so that it goes on to answer as the listener would; only its
/// peer may write to it, and that is itself.
fn inert(lane: i32) -> sys::Result<i32> {
    let inert = sys::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC)?;
    let mut name = [0; MAX];
    if let Ok(len) = sys::getsockname(lane, &mut name)
        && sys::bind(inert, &name[..len]).is_ok()
        && sys::connect(inert, &name[..len]).is_err()
    {
        sys::close(inert);
        return sys::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC);
    }
    Ok(inert)
}

//! What accept() answers on a lane that has ended. If the supervisor is gone a socket on which nothing ever happens takes the
//! lane's place: a hung-up lane would be readable for ever and the program would spin. It closes no connection.

use crate::abi::*;
use crate::log::tell;
use crate::settings::Settings;
use crate::{credit, lane, link, receive, swap, sys};
use clustermon_protocol::address::MAX;
use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, Ordering};

/// The process that was told to stop for it: once, however many threads wait.
static STOPPED: AtomicU32 = AtomicU32::new(0);

/// The error that accept() gives, or none: then it waits on, and nothing comes. Either the program shut its listener down, or
/// the supervisor closed the lane, or it is gone and the program stops or lives on.
pub(crate) fn answer(fd: i32) -> Option<c_int> {
    let settings = Settings::read();
    // Another thread that waited here may have come first.
    if !is_inert(fd) {
        let mut look = [PollFd { fd, events: POLLOUT, revents: 0 }];
        let hung_up = sys::poll(&mut look, 0).is_ok() && look[0].revents & POLLHUP != 0;
        let gone = hung_up && !settings.as_ref().is_some_and(link::is_up);
        if gone {
            if let Ok(inert) = inert(fd) {
                swap::replace_dead(fd, inert);
            }
            lane::hint(fd);
        } else if !is_inert(fd) {
            credit::forget(fd);
            tell!("accept({fd}): EINVAL, for the lane was shut down or closed");
            return Some(EINVAL);
        }
    }
    if settings.is_some_and(|settings| settings.keep) {
        tell!("accept({fd}): the supervisor is gone; this process goes on with what it has");
        return is_hung_up(fd).then_some(EAGAIN);
    }
    let me = sys::getpid();
    if STOPPED.swap(me, Ordering::Relaxed) != me {
        tell!("accept({fd}): the supervisor is gone; SIGTERM to this process");
        sys::kill(me, SIGTERM);
    }
    Some(if receive::blocking(fd) { EINTR } else { EAGAIN })
}

/// It could not be replaced: who waits on would come back here at once, for ever.
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

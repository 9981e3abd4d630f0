//! The shared listening socket as this process has it: a descriptor out of the program's way, known again by the kernel's
//! number for the socket. Its status flags and timeouts belong to everybody who has it; of these O_NONBLOCK alone is written, where
//! somebody has cleared it.

use crate::kernel::abi::*;
use crate::kernel::sys;
use crate::sockets::owned::cookie;

/// No program minds numbers from here on: the lowest free one is far below, and select() reaches to 1,024.
const PLACE: u64 = 900;
/// How far below the limit of descriptors it stands at most.
const BELOW_LIMIT: u64 = 16;

/// One that is, or was, under this number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) fd: i32,
    pub(crate) cookie: u64,
}

impl Listener {
    /// The supervisor has none for this process now. No descriptor has this number.
    pub(super) const TO_COME: Self = Self { fd: -1, cookie: 0 };

    /// Moves what the supervisor sent out of the way; `None` where it is no listening TCP socket or there is no place for it.
    /// `sent` is closed.
    pub(super) fn keep(sent: i32) -> Option<Self> {
        match cookie(sent).filter(|_| is_listening_tcp(sent)) {
            Some(cookie) => move_away(sent).map(|fd| Self { fd, cookie }),
            None => {
                sys::close(sent);
                None
            }
        }
    }

    /// The same socket is still under the number.
    pub(super) fn is_itself(&self) -> bool {
        cookie(self.fd) == Some(self.cookie)
    }

    /// It is, and nobody has shut it down.
    pub(super) fn is_listening(&self) -> bool {
        self.is_itself() && is_listening(self.fd)
    }

    /// How many connections wait in the queue of what is under the number, if it is a listening TCP socket. It costs a tenth
    /// of an accept() that finds none, because that makes a file first.
    pub(super) fn waiting(&self) -> Option<u32> {
        // struct tcp_info as far as tcpi_unacked, which is the length of the queue where the state is that of a listener.
        let mut info = [0; 28];
        let len = sys::getsockopt(self.fd, IPPROTO_TCP, TCP_INFO, &mut info).ok()?;
        let [state, .., a, b, c, d] = info;
        (len == info.len() && state == TCP_STATE_LISTEN).then(|| u32::from_ne_bytes([a, b, c, d]))
    }

    /// An accept is not to wait, though another process may have cleared O_NONBLOCK for all.
    pub(super) fn keep_nonblocking(&self) {
        keep_nonblocking(self.fd);
    }

    /// Gives up this process's descriptor. The socket goes on listening in the hands of others.
    pub(super) fn close(self) {
        if self.is_itself() {
            sys::close(self.fd);
        }
    }
}

/// Gives the descriptor a number that is out of the program's way; `None`, and it is closed, where there is none.
pub(super) fn move_away(fd: i32) -> Option<i32> {
    let limit = sys::descriptor_limit().unwrap_or(0);
    let place = PLACE.min(limit.saturating_sub(BELOW_LIMIT));
    let moved = (place > 0).then(|| sys::fcntl(fd, F_DUPFD_CLOEXEC, place as usize).ok()).flatten();
    sys::close(fd);
    moved
}

/// Sets O_NONBLOCK where it was cleared.
pub(crate) fn keep_nonblocking(fd: i32) {
    if let Ok(flags) = sys::fcntl(fd, F_GETFL, 0)
        && flags & O_NONBLOCK == 0
    {
        let _ = sys::fcntl(fd, F_SETFL, (flags | O_NONBLOCK) as usize);
    }
}

fn is_listening(fd: i32) -> bool {
    sys::getsockopt_int(fd, SOL_SOCKET, SO_ACCEPTCONN) == Ok(1)
}

fn is_listening_tcp(fd: i32) -> bool {
    let domain = sys::getsockopt_int(fd, SOL_SOCKET, SO_DOMAIN);
    is_listening(fd)
        && matches!(domain, Ok(AF_INET | AF_INET6))
        && sys::getsockopt_int(fd, SOL_SOCKET, SO_TYPE) == Ok(SOCK_STREAM)
}

//! Turns the reports of one registered descriptor off and on again. mio has no registration without interest, and any
//! interest would wake the thread for each connection that arrives; so this talks to the same epoll set itself.

use mio::{Poll, Token};
use std::io;
use std::os::fd::{AsRawFd, RawFd};

/// Whether readability of the descriptor is reported, as edges, under this token. It must be registered.
pub(crate) fn set(poll: &Poll, fd: RawFd, token: Token, on: bool) -> io::Result<()> {
    let events = if on { libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET } else { libc::EPOLLET };
    let mut event = libc::epoll_event { events: events as u32, u64: token.0 as u64 };
    // SAFETY: the event is readable for the call; both descriptors belong to their owners, which outlive it.
    match unsafe { libc::epoll_ctl(poll.as_raw_fd(), libc::EPOLL_CTL_MOD, fd, &raw mut event) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::unix::SourceFd;
    use mio::{Events, Interest};
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    #[test]
    fn what_comes_meanwhile_is_reported_once_it_is_on_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (fd, address) = (listener.as_raw_fd(), listener.local_addr().unwrap());
        let mut poll = Poll::new().unwrap();
        poll.registry().register(&mut SourceFd(&fd), Token(7), Interest::READABLE).unwrap();
        let mut events = Events::with_capacity(4);
        let mut wait = |poll: &mut Poll| {
            poll.poll(&mut events, Some(Duration::from_millis(50))).unwrap();
            events.iter().map(|event| event.token()).collect::<Vec<_>>()
        };
        set(&poll, fd, Token(7), false).unwrap();
        let client = TcpStream::connect(address).unwrap();
        assert_eq!(wait(&mut poll), []);
        set(&poll, fd, Token(7), true).unwrap();
        assert_eq!(wait(&mut poll), [Token(7)]);
        assert_eq!(wait(&mut poll), [], "once");
        drop(client);
    }
}

//! Sockets that a service manager has opened and passed on to this process (LISTEN_FDS, as in sd_listen_fds(3)): which there are, and what
//! each of them is. It listens on none and accepts nothing.

use super::listener::{self, Facts, Key};
use crate::io::kernel::foreign::Foreign;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// The first of them.
const FIRST: RawFd = 3;

/// More than any service manager passes: a number from outside.
const MOST: usize = 1024;

/// A listening socket of the service manager's.
#[derive(Debug)]
pub(crate) struct ActivatedSocket {
    socket: OwnedFd,
    pub(crate) facts: Facts,
    /// Device and inode of the file of a unix socket.
    pub(crate) file: Option<(u64, u64)>,
    /// What people know it by: its number, and its name if it has one.
    pub(crate) label: String,
}

impl ActivatedSocket {
    /// A descriptor of its own for who listens.
    pub(crate) fn copy(&self) -> io::Result<Foreign> {
        self.socket.try_clone().map(Foreign::from)
    }
}

/// How many descriptors were passed to this process. Whoever has started it may have been passed some itself: they are meant by number.
pub(crate) fn count() -> usize {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    given(number("LISTEN_PID"), number("LISTEN_FDS"), std::process::id() as usize)
}

fn given(pid: Option<usize>, count: Option<usize>, own: usize) -> usize {
    count.filter(|_| pid == Some(own)).unwrap_or(0).min(MOST)
}

/// All that can be listened on, and a line on each that cannot. What is passed stays open, so that it can be asked for again; no program that
/// is started gets it.
pub(crate) fn sockets() -> (Vec<ActivatedSocket>, Vec<String>) {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let (mut sockets, mut unfit) = (Vec::new(), Vec::new());
    for (place, fd) in (FIRST..).take(count()).enumerate() {
        let name = names.split(':').nth(place).filter(|name| !matches!(*name, "" | "unknown"));
        let label = name.map_or_else(|| format!("fd {fd}"), |name| format!("fd {fd}, {name}"));
        // SAFETY: the descriptor is nobody's in this process, is never closed here, and is used for this moment alone. Where the number is
        // none, each call says so.
        let passed = unsafe { BorrowedFd::borrow_raw(fd) };
        match look(passed, label.clone()) {
            Ok(socket) => sockets.push(socket),
            Err(why) => unfit.push(format!("{label}: {why}")),
        }
    }
    (sockets, unfit)
}

fn look(passed: BorrowedFd<'_>, label: String) -> Result<ActivatedSocket, String> {
    let flags = fcntl(passed, FcntlArg::F_GETFD).map_err(|_| "there is no such descriptor".to_owned())?;
    let flags = FdFlag::from_bits_retain(flags) | FdFlag::FD_CLOEXEC;
    fcntl(passed, FcntlArg::F_SETFD(flags)).map_err(|error| error.to_string())?;
    let kind = nix::sys::socket::getsockopt(&passed, nix::sys::socket::sockopt::SockType)
        .map_err(|_| "it is no socket".to_owned())?;
    if kind == nix::sys::socket::SockType::Datagram {
        return Err(
            "UDP and other datagrams are not taken from a service manager: have the program bind them itself"
                .to_owned(),
        );
    }
    let facts = Facts::of(passed, None, &[])
        .map_err(|_| "it is neither TCP nor a unix stream socket with an address".to_owned())?;
    if !facts.listening {
        return Err("it is a connection and does not listen: write Accept=no in the .socket unit".to_owned());
    }
    let file = match &facts.key {
        Key::Path(path) => listener::file_of_socket(path, facts.inode),
        Key::Inet { .. } | Key::Abstract(_) => None,
    };
    let socket = passed.try_clone_to_owned().map_err(|error| error.to_string())?;
    debug_assert!(socket.as_raw_fd() > 2, "it is no standard stream");
    Ok(ActivatedSocket { socket, facts: Facts { given: true, ..facts }, file, label })
}

impl AsFd for ActivatedSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixListener;

    #[test]
    fn only_what_is_meant_for_this_process_counts() {
        assert_eq!((given(Some(7), Some(2), 7), given(Some(7), Some(usize::MAX), 7)), (2, MOST));
        for (pid, count) in [(None, Some(2)), (Some(8), Some(2)), (Some(7), None)] {
            assert_eq!(given(pid, count, 7), 0);
        }
    }

    #[test]
    fn a_socket_is_told_from_what_is_none() {
        let scratch = crate::io::scratch::Scratch::new();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let found = look(tcp.as_fd(), "fd 3, web".to_owned()).unwrap();
        assert_eq!(found.facts.address.to_string(), tcp.local_addr().unwrap().to_string());
        assert!(found.facts.given && found.file.is_none());
        let path = scratch.path().join("web.sock");
        let unix = UnixListener::bind(&path).unwrap();
        let found = look(unix.as_fd(), String::new()).unwrap();
        assert_eq!(found.file, listener::file_of(&path));
        let fault = |fd: BorrowedFd<'_>| look(fd, String::new()).unwrap_err();
        assert!(fault(UdpSocket::bind("127.0.0.1:0").unwrap().as_fd()).starts_with("UDP"));
        let connection = TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
        assert!(fault(connection.as_fd()).contains("Accept=no"));
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(fault(file.as_fd()), "it is no socket");
    }
}

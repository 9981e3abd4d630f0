//! Trying a worker by a connection of our own, which it is handed like any other: whether its program takes it, and what
//! it answers. Only this module reads what a worker writes to a connection, and only to these.

use crate::ids::BalancerId;
use crate::io::kernel::sockopt::unnamed;
use crate::io::sockets::listener::{self, Connection};
use clustermon_protocol::address::{INET, INET6};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The longest head of an answer that is read.
const HEAD: usize = 16 * 1024;

/// Our end of one such connection.
#[derive(Debug)]
pub(crate) struct Probe {
    end: File,
    head: Vec<u8>,
}

/// How far the answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Pending,
    Good,
    /// Not what was hoped for, and how.
    Bad(String),
}

impl Probe {
    /// A connection of this family, and the end of it that is the worker's.
    pub(crate) fn open(family: u16, nonblock: bool, balancer: BalancerId) -> io::Result<(Self, Connection)> {
        let (end, connection) = match family {
            INET => over_loopback(Ipv4Addr::LOCALHOST.into(), nonblock, balancer)?,
            INET6 => over_loopback(Ipv6Addr::LOCALHOST.into(), nonblock, balancer)?,
            _ => {
                let own = |flags| socketpair(AddressFamily::Unix, SockType::Stream, None, flags);
                let blocking = if nonblock { SockFlag::SOCK_NONBLOCK } else { SockFlag::empty() };
                let (end, fd) = own(SockFlag::SOCK_CLOEXEC | blocking)?;
                (end, Connection { fd, peer: unnamed(), nonblock, balancer })
            }
        };
        let probe = Self { end: File::from(end), head: Vec::new() };
        set_nonblocking(&probe.end)?;
        Ok((probe, connection))
    }

    /// Asks for a path.
    pub(crate) fn ask(&mut self, path: &str, host: &str) -> io::Result<()> {
        // An empty socket takes so much at once.
        let request = format!(
            "GET {path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: clustermon\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        );
        self.end.write_all(request.as_bytes())
    }

    /// What has been answered so far.
    pub(crate) fn answer(&mut self) -> Answer {
        let mut bytes = [0; 4096];
        loop {
            match self.end.read(&mut bytes) {
                Ok(0) => return Answer::Bad("closed without an answer".to_owned()),
                Ok(len) => self.head.extend_from_slice(&bytes[..len]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Answer::Pending,
                Err(error) => return Answer::Bad(error.to_string()),
            }
            let answer = judge(&self.head);
            if answer != Answer::Pending {
                return answer;
            }
        }
    }
}

impl AsFd for Probe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

/// What the head of an answer says, as far as it has come.
fn judge(head: &[u8]) -> Answer {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(head) {
        Ok(httparse::Status::Complete(_)) => match response.code {
            Some(200..=299) => Answer::Good,
            code => Answer::Bad(format!("status {}", code.unwrap_or_default())),
        },
        Ok(httparse::Status::Partial) if head.len() < HEAD => Answer::Pending,
        Ok(httparse::Status::Partial) => Answer::Bad("a head without an end".to_owned()),
        Err(error) => Answer::Bad(format!("no HTTP: {error}")),
    }
}

/// A real connection, so that whatever the program sets on it is taken.
fn over_loopback(
    ip: std::net::IpAddr,
    nonblock: bool,
    balancer: BalancerId,
) -> io::Result<(OwnedFd, Connection)> {
    let listener = TcpListener::bind(SocketAddr::new(ip, 0))?;
    // Done at once: both ends are this machine's, and the queue is empty.
    let end = TcpStream::connect(listener.local_addr()?)?;
    let own = end.local_addr()?.port();
    let connection = listener::accept_from(listener.as_fd(), nonblock, balancer)?;
    // Somebody else may have been quicker.
    if connection.peer.port() != Some(own) {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok((end.into(), connection))
}

fn set_nonblocking(end: &File) -> io::Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clustermon_protocol::address::UNIX;

    #[test]
    fn an_answer_is_judged_by_its_status() {
        assert_eq!(judge(b""), Answer::Pending);
        assert_eq!(judge(b"HTTP/1.1 200 OK\r\nA: b\r\n"), Answer::Pending);
        assert_eq!(judge(b"HTTP/1.1 204 No Content\r\n\r\n"), Answer::Good);
        assert_eq!(judge(b"HTTP/1.0 503 Not yet\r\n\r\nbody"), Answer::Bad("status 503".to_owned()));
        assert!(matches!(judge(b"SSH-2.0-x\r\n"), Answer::Bad(_)));
        let endless = [b"HTTP/1.1 200 OK\r\nA: ".to_vec(), vec![b'x'; HEAD]].concat();
        assert!(matches!(judge(&endless), Answer::Bad(_)));
    }

    #[test]
    fn each_family_asks_and_is_answered() {
        for family in [UNIX, INET, INET6] {
            let (mut probe, connection) = match Probe::open(family, false, BalancerId(1)) {
                // A machine need not have IPv6.
                Err(_) if family == INET6 => continue,
                opened => opened.unwrap(),
            };
            assert_eq!(connection.peer.family(), family);
            probe.ask("/health", "localhost").unwrap();
            assert_eq!(probe.answer(), Answer::Pending);
            let mut server = File::from(connection.fd);
            let mut request = [0; 512];
            let len = server.read(&mut request).unwrap();
            assert!(request[..len].starts_with(b"GET /health HTTP/1.0\r\n"));
            server.write_all(b"HTTP/1.0 200 OK\r\n\r\n").unwrap();
            // Over loopback what was written is there.
            let answer = (0..1000).map(|_| probe.answer()).find(|answer| *answer != Answer::Pending);
            assert_eq!(answer, Some(Answer::Good));
            drop(server);
            assert!(matches!(probe.answer(), Answer::Bad(_)));
        }
    }
}

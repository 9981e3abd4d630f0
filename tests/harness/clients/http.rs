//! A small blocking HTTP/1.1 client over TCP and unix sockets, with the raw connection in reach.

use crate::system::wait::PATIENCE;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Tcp(SocketAddr),
    Path(PathBuf),
    Abstract(String),
}

impl fmt::Display for Target {
    /// As `GET /port` and the supervisor's log write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Path(path) => path.display().fmt(f),
            Self::Abstract(name) => write!(f, "@{name}"),
        }
    }
}

impl Target {
    /// The inverse of `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.as_bytes().first()? {
            b'/' => Some(Self::Path(text.into())),
            b'@' => Some(Self::Abstract(text[1..].to_owned())),
            _ => text.parse().ok().map(Self::Tcp),
        }
    }

    /// The same port on the loopback address, for a server that listens on all addresses.
    pub fn local(&self) -> Self {
        match self {
            Self::Tcp(address) if address.ip().is_unspecified() => match address {
                SocketAddr::V4(_) => Self::Tcp(([127, 0, 0, 1], address.port()).into()),
                SocketAddr::V6(_) => Self::Tcp((std::net::Ipv6Addr::LOCALHOST, address.port()).into()),
            },
            other => other.clone(),
        }
    }
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// One connection. Reads and writes give up after `PATIENCE`, unless it is told otherwise.
#[derive(Debug)]
pub struct Conn {
    stream: Stream,
    /// Received and not yet looked at.
    input: Vec<u8>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Who answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Who {
    pub pid: u32,
    /// The logical id; empty outside a cluster.
    pub id: String,
}

impl Conn {
    pub fn open(target: &Target) -> io::Result<Self> {
        let stream = match target {
            Target::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, PATIENCE)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
            unix => {
                let address = match unix {
                    Target::Abstract(name) => UnixAddr::from_abstract_name(name)?,
                    path => UnixAddr::from_pathname(path.to_string())?,
                };
                let stream = UnixStream::connect_addr(&address)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Stream::Unix(stream)
            }
        };
        Ok(Self { stream, input: Vec::new() })
    }

    /// A TCP connection from this address of ours, such as 127.0.0.9.
    pub fn open_from(source: Ipv4Addr, target: &Target) -> io::Result<Self> {
        let Target::Tcp(SocketAddr::V4(target)) = target else {
            return Err(io::Error::new(ErrorKind::InvalidInput, "that is for TCP over IPv4"));
        };
        let address = |ip: Ipv4Addr, port: u16| libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: port.to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from(ip).to_be() },
            sin_zero: [0; 8],
        };
        let size = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        // SAFETY: no memory is involved.
        let raw = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made it for us.
        let stream = TcpStream::from(unsafe { OwnedFd::from_raw_fd(raw) });
        let (own, peer) = (address(source, 0), address(*target.ip(), target.port()));
        // SAFETY: both addresses are whole and live to the end of the calls.
        let done = unsafe {
            libc::bind(raw, (&raw const own).cast(), size) == 0
                && libc::connect(raw, (&raw const peer).cast(), size) == 0
        };
        if !done {
            return Err(io::Error::last_os_error());
        }
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: Stream::Tcp(stream), input: Vec::new() })
    }

    /// The same connection; its reads and writes give up after this time instead, for what takes long on a busy machine.
    pub fn within(self, limit: Duration) -> io::Result<Self> {
        match &self.stream {
            Stream::Tcp(stream) => {
                stream.set_read_timeout(Some(limit))?;
                stream.set_write_timeout(Some(limit))?;
            }
            Stream::Unix(stream) => {
                stream.set_read_timeout(Some(limit))?;
                stream.set_write_timeout(Some(limit))?;
            }
        }
        Ok(self)
    }

    /// Asks and leaves the connection open.
    pub fn get(&mut self, path: &str) -> io::Result<Response> {
        self.request(path)?;
        self.response()
    }

    /// Asks without reading the answer.
    pub fn request(&mut self, path: &str) -> io::Result<()> {
        self.write(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes())
    }

    /// Asks for the last time: the server is to close after its answer.
    pub fn last_request(&mut self, path: &str) -> io::Result<()> {
        self.write(format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").as_bytes())
    }

    pub fn post(&mut self, path: &str, body: &[u8]) -> io::Result<Response> {
        let head = format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", body.len());
        self.write(&[head.as_bytes(), body].concat())?;
        self.response()
    }

    pub fn who(&mut self) -> io::Result<Who> {
        self.get("/")?.who()
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
        }
    }

    /// Reads one line, without its end.
    pub fn line(&mut self) -> io::Result<String> {
        let end = loop {
            match self.input.iter().position(|byte| *byte == b'\n') {
                Some(end) => break end,
                None => self.fill()?,
            }
        };
        let line = self.input.drain(..=end).collect::<Vec<_>>();
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// Reads so many bytes.
    pub fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.input.len() < count {
            self.fill()?;
        }
        Ok(self.input.drain(..count).collect())
    }

    pub fn response(&mut self) -> io::Result<Response> {
        let status_line = self.line()?;
        let bad = || io::Error::new(ErrorKind::InvalidData, format!("no answer in HTTP: {status_line:?}"));
        let status = status_line.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(bad)?;
        let mut length = None;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse::<usize>().ok();
            }
        }
        let length = length.ok_or_else(bad)?;
        Ok(Response { status, body: self.bytes(length)? })
    }

    /// Whether something can be read now: an answer, or the end.
    pub fn is_readable(&self) -> bool {
        let mut polled = libc::pollfd { fd: self.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: `polled` is one valid entry, and the call waits not at all.
        let count = unsafe { libc::poll(&mut polled, 1, 0) };
        !self.input.is_empty() || count == 1
    }

    /// Tells the server that nothing more will be written.
    pub fn end_writing(&self) -> io::Result<()> {
        match &self.stream {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    /// Whether the server has closed the connection without another byte.
    pub fn at_end(&mut self) -> bool {
        self.input.is_empty() && self.fill().is_err_and(|error| error.kind() == ErrorKind::UnexpectedEof)
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 65536];
        let length = loop {
            let read = match &mut self.stream {
                Stream::Tcp(stream) => stream.read(&mut chunk),
                Stream::Unix(stream) => stream.read(&mut chunk),
            };
            match read {
                // A read with a time limit is interrupted without any handler when the process is stopped for a moment.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if length == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed the connection"));
        }
        self.input.extend_from_slice(&chunk[..length]);
        Ok(())
    }
}

impl AsFd for Conn {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }
}

impl Response {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn who(&self) -> io::Result<Who> {
        let text = self.text();
        let parts = text.strip_prefix("pid=").and_then(|rest| rest.trim_end().split_once(" id="));
        let who = parts.and_then(|(pid, id)| Some(Who { pid: pid.parse().ok()?, id: id.to_owned() }));
        who.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, format!("no pid and id: {text:?}")))
    }
}

/// One request on a connection of its own.
pub fn get(target: &Target, path: &str) -> io::Result<Response> {
    let mut conn = Conn::open(target)?;
    conn.last_request(path)?;
    conn.response()
}

/// Who answers a connection of its own.
pub fn who(target: &Target) -> io::Result<Who> {
    get(target, "/")?.who()
}

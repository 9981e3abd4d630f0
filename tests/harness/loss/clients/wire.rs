//! One connection of a client, with what is needed to say afterwards how far a request came: bytes written, bytes that
//! the server's system has acknowledged, bytes of the answer. It judges nothing.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

/// A request that is not answered within this has failed.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// From the end to the reset that may follow it.
const RESET_LIMIT: Duration = Duration::from_millis(500);
const CHUNK: usize = 8192;

/// One connection and the request on it.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    /// Our end's port: what the server's side calls the peer.
    pub(super) port: u16,
    /// Whole answers before the request at hand.
    pub(super) served: u32,
    /// Bytes of the request at hand that the system has taken.
    pub(super) written: usize,
    /// What came of its answer.
    pub(super) input: Vec<u8>,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Wire {
    pub(super) fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&server, ANSWER_LIMIT)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.set_write_timeout(Some(ANSWER_LIMIT))?;
        stream.set_nodelay(true)?;
        let port = stream.local_addr()?.port();
        Ok(Self { stream, port, served: 0, written: 0, input: Vec::new() })
    }

    /// Whether the server has closed it while nothing was asked; a byte that nobody asked for is an end too.
    pub(super) fn has_ended(&self) -> bool {
        let mut byte = 0_u8;
        // SAFETY: the buffer is one byte long and lives through the call, which does not wait.
        let read = unsafe {
            let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
            libc::recv(self.stream.as_raw_fd(), (&raw mut byte).cast(), 1, flags)
        };
        read >= 0 || io::Error::last_os_error().kind() != ErrorKind::WouldBlock
    }

    /// Before each request.
    pub(super) fn begin(&mut self) {
        self.written = 0;
        self.input.clear();
    }

    pub(super) fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(length) => {
                    self.written += length;
                    bytes = &bytes[length..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads the answer to its last byte.
    pub(super) fn answer(&mut self) -> io::Result<Answer> {
        let mut head = None;
        loop {
            if head.is_none() {
                head = parse_head(&self.input)?;
            }
            if let Some(Head { status, start, length }) = head
                && self.input.len() >= start + length
            {
                self.served += 1;
                return Ok(Answer { status, body: self.input[start..start + length].to_vec() });
            }
            if self.fill()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Waits for the server to close, as it was asked to: whoever closes first keeps the port for a minute.
    pub(super) fn let_close(mut self) {
        let _ = self.stream.set_read_timeout(Some(Duration::from_secs(2)));
        while matches!(self.fill(), Ok(1..)) {}
    }

    /// Bytes that were written and that the server's system has not acknowledged: it had closed before they arrived.
    pub(super) fn unacknowledged(&self) -> usize {
        let mut count: libc::c_int = 0;
        // SAFETY: the call writes one int, which lives through it.
        let result = unsafe { libc::ioctl(self.stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
        if result == 0 { usize::try_from(count).unwrap_or(0) } else { 0 }
    }

    /// After an orderly end: whether a reset follows. A server that ends its side and then closes with bytes unread
    /// makes its system send one.
    pub(super) fn is_reset_too(&self) -> bool {
        let begun = Instant::now();
        loop {
            let mut polled =
                libc::pollfd { fd: self.stream.as_raw_fd(), events: libc::POLLRDHUP, revents: 0 };
            // SAFETY: `polled` is one valid entry, and the call does not wait.
            unsafe { libc::poll(&raw mut polled, 1, 0) };
            // Both directions are over only then: ours is open.
            if polled.revents & (libc::POLLERR | libc::POLLHUP) != 0 {
                return true;
            }
            if begun.elapsed() > RESET_LIMIT {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let length = self.input.len();
        self.input.resize(length + CHUNK, 0);
        let read = loop {
            match self.stream.read(&mut self.input[length..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.input.truncate(length + read.as_ref().copied().unwrap_or(0));
        read
    }
}

/// Where the body is.
#[derive(Clone, Copy, Debug)]
struct Head {
    status: u16,
    start: usize,
    length: usize,
}

/// Nothing, if the head is not complete; an error, if it does not say how long the body is.
fn parse_head(input: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = String::from_utf8_lossy(&input[..end]);
    let bad = || io::Error::new(ErrorKind::InvalidData, format!("no answer in HTTP: {text:?}"));
    let mut lines = text.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status = status_line.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(bad)?;
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length")).ok_or_else(bad)?.1;
    let length = length.trim().parse().map_err(|_| bad())?;
    Ok(Some(Head { status, start: end + 4, length }))
}

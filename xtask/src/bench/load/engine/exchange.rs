//! One client of the engine: its connection, the request on its way and the answer so far. It waits for nothing and times nothing.

use crate::bench::load::client::{Answer, Connection};
use mio::net::TcpStream;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Instant;

#[derive(Default)]
pub(super) struct Client {
    pub(super) stream: Option<TcpStream>,
    pub(super) request: &'static [u8],
    /// Of the request being answered; `None` when idle.
    pub(super) begun: Option<Instant>,
    pub(super) answer: Answer,
}

/// What became of a client's request after all that could be done at once.
pub(super) enum Progress {
    Waiting,
    Answered,
    Failed,
}

impl Client {
    /// Writes what is left of the request, as far as that goes.
    pub(super) fn write(&mut self) -> std::io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while !self.request.is_empty() {
            match stream.write(self.request) {
                Ok(n) => self.request = &self.request[n..],
                // `NotConnected`: the connection is still being made.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn step(&mut self, connection: Connection) -> Progress {
        if self.write().is_err() {
            return Progress::Failed;
        }
        let Some(stream) = &mut self.stream else { return Progress::Waiting };
        let mut bytes = [0; 2048];
        loop {
            match stream.read(&mut bytes) {
                Ok(0) if self.answer.is_complete() => return Progress::Answered,
                Ok(0) => return Progress::Failed,
                Ok(n) => match self.answer.feed(&bytes[..n]) {
                    // Events tell of changes: a short read says that no more is there, without asking again.
                    Ok(true) if connection == Connection::Kept && n < bytes.len() => {
                        return Progress::Answered;
                    }
                    Ok(_) => {}
                    Err(_) => return Progress::Failed,
                },
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Waiting,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Progress::Failed,
            }
        }
    }
}

/// Closing is to send a reset, which leaves no port behind in TIME_WAIT; the answer has been read by then.
pub(super) fn reset_on_close(stream: BorrowedFd<'_>) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let size = size_of::<libc::linger>() as libc::socklen_t;
    // SAFETY: the fd is borrowed for the call, and the pointer and size describe a live linger, which the kernel only
    // reads. Without the option the run still works, with fewer free ports.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size,
        );
    }
}

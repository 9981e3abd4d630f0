//! The supervisor's end of a pipe that a worker's process writes to. It never waits, and leaves the worker's end as a
//! shell would make it.

use crate::config::Stream;
use crate::ids::WorkerId;
use crate::io::output::lines::Lines;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::pipe2;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// The longest piece of a line.
const LONGEST: usize = 64 * 1024;

/// The reading end, and the line that is under way.
#[derive(Debug)]
pub(super) struct Pipe {
    file: File,
    /// Whose it is: two processes of one worker may live at a time.
    pub(super) process: WorkerId,
    /// The logical id of the worker.
    pub(super) worker: String,
    /// The process by its number; 0 until it has one.
    pub(super) pid: u32,
    pub(super) stream: Stream,
    pub(super) lines: Lines,
    /// What is to be passed on with the rest of its line, if that comes at once.
    pub(super) rest: Vec<u8>,
    /// The beginning of the line that is under way was dropped.
    pub(super) cut: bool,
}

/// What a read brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Got {
    Bytes(usize),
    Nothing,
    /// Every writer is gone.
    End,
}

impl Pipe {
    /// A new one, and the end for the worker.
    pub(super) fn new(process: WorkerId, worker: &str, stream: Stream) -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
        // The ends of a pipe have status flags of their own: the worker's still waits where it should.
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        // A worker that has dropped to another user may open /dev/stderr anew. Nobody else comes to the pipe: the way leads
        // through /proc/PID/fd, which the kernel opens to those alone who may trace the process. On failure it stays ours.
        let _ = fchmod(&writer, Mode::from_bits_truncate(0o622));
        let (worker, lines, rest) = (worker.to_owned(), Lines::up_to(LONGEST), Vec::new());
        Ok((Self { file: reader.into(), process, worker, pid: 0, stream, lines, rest, cut: false }, writer))
    }

    pub(super) fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Got {
        loop {
            return match self.file.read(buffer) {
                Ok(0) => Got::End,
                Ok(len) => Got::Bytes(len),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Got::Nothing,
                Err(_) => Got::End,
            };
        }
    }
}

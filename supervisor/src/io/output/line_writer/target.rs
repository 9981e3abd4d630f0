//! What the thread of a `LineWriter` writes to, and the simplest one: a descriptor, such as a terminal, a pipe or a file. It keeps no line.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

/// How long a reader may take nothing after everybody who writes has gone.
const LAST_WAIT_MS: u16 = 50;
/// The most that a pipe which is ready takes without waiting: PIPE_BUF.
const CHUNK: usize = 4096;

/// Takes whole lines, in a thread of its own. It may take its time.
pub(in crate::io::output) trait Target: Send + 'static {
    /// Writes so many lines, waiting for whoever reads them as long as `patience` lasts. Returns how many could not be written, which it
    /// has told.
    fn put(&mut self, lines: &[u8], count: u64, patience: &Patience<'_>) -> u64;

    /// Whether what it is given are lines as people read them.
    fn takes_text(&self) -> bool {
        true
    }

    /// Removes all that was written, where that can be done.
    fn empty(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Lasts while somebody writes, and once nobody does for as long as the reader takes something.
#[derive(Debug)]
pub(in crate::io::output) struct Patience<'a>(&'a AtomicBool);

impl<'a> Patience<'a> {
    /// `nobody_writes` becomes true when all have gone.
    pub(in crate::io::output) fn new(nobody_writes: &'a AtomicBool) -> Self {
        Self(nobody_writes)
    }

    /// Waits until this can be written to; false if it is no use any more.
    pub(in crate::io::output) fn lasts_until_writable(&self, fd: impl AsFd) -> bool {
        loop {
            let mut wanted = [PollFd::new(fd.as_fd(), PollFlags::POLLOUT)];
            match poll(&mut wanted, PollTimeout::from(LAST_WAIT_MS)) {
                Ok(0) | Err(_) if self.0.load(Ordering::Relaxed) => return false,
                Ok(0) | Err(_) => {}
                Ok(_) => return true,
            }
        }
    }
}

/// A descriptor that somebody reads.
#[derive(Debug)]
pub(in crate::io::output) struct Descriptor<T> {
    fd: T,
    /// Nobody writes and nobody reads any more.
    given_up: bool,
}

impl<T> Descriptor<T> {
    pub(in crate::io::output) fn new(fd: T) -> Self {
        Self { fd, given_up: false }
    }
}

impl<T: AsFd + Send + 'static> Target for Descriptor<T> {
    /// What cannot be written at all is dropped uncounted, for the reader it is meant for is gone.
    fn put(&mut self, mut bytes: &[u8], count: u64, patience: &Patience<'_>) -> u64 {
        while !bytes.is_empty() && !self.given_up {
            // Whoever shares the other end of a terminal or pipe may have made it non-blocking, or may not.
            if !patience.lasts_until_writable(&self.fd) {
                self.given_up = true;
                break;
            }
            match nix::unistd::write(&self.fd, chunk(bytes)) {
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(Errno::ENOSPC | Errno::EDQUOT | Errno::EIO | Errno::EFBIG) => return count,
                Err(_) => return 0,
            }
        }
        0
    }
}

/// As much as can be written at once, in whole lines if they are not longer than that.
fn chunk(bytes: &[u8]) -> &[u8] {
    let Some(most) = bytes.get(..CHUNK) else { return bytes };
    match most.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => &most[..=end],
        None => most,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_writes_are_split_between_lines() {
        assert_eq!(chunk(b"a\nb"), b"a\nb");
        let mut long = vec![b'x'; 4000];
        long.push(b'\n');
        long.extend([b'y'; 200]);
        assert_eq!(chunk(&long).len(), 4001);
        assert_eq!(chunk(&[b'x'; 5000]).len(), 4096);
    }

    #[test]
    fn a_full_device_is_told_from_a_reader_that_went_away() {
        let written = AtomicBool::new(false);
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(Descriptor::new(full).put(b"x\n", 1, &Patience::new(&written)), 1);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(Descriptor::new(writer).put(b"x\n", 1, &Patience::new(&written)), 0);
    }
}

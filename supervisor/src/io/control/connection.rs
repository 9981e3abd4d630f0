//! One client: bytes in, one request at a time out of them, lines out, each within its bounds. Answers nothing but what is
//! no request.

mod lines;

use super::bucket::Bucket;
use super::wire::{self, Fault, MAX_REQUEST};
use crate::api::{Command, Event};
use crate::io::kernel::foreign::Foreign;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Instant;

/// What a client has not taken; a client that is behind by more gets no more. A single answer may be longer.
pub(super) const MAX_UNSENT: usize = 1024 * 1024;
/// Events that a follower may miss in one go before it is given up.
pub(super) const MAX_MISSED: u64 = 10_000;
const CHUNK: usize = 8 * 1024;
/// Reads and lines of one client before others have their turn.
const TURN: u32 = 64;
/// A buffer that is larger is given back once it is empty.
const KEEP: usize = 4 * 1024;

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// The next request may be taken.
    Open,
    /// A request was taken and is not answered.
    Asking,
    /// It gets events; what it says is not read.
    Following { missed: u64 },
    /// It gets lines as they are written, of this worker or of all, from the one of this number on.
    Reading { next: u64, worker: Option<String> },
}

/// A client that can no longer be served.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// What a client has for us.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing before the next event.
    Idle,
    /// Nothing before `resumes_at`.
    Paused,
    Asked(Command),
    Gone,
}

/// The connection.
#[derive(Debug)]
pub(super) struct Connection {
    link: Foreign,
    /// Counts the clients of a supervisor's life.
    pub(super) serial: u64,
    pub(super) uid: u32,
    pub(super) pid: u32,
    phase: Phase,
    bucket: Bucket,
    input: Vec<u8>,
    /// So many bytes of the input hold no end of line.
    searched: usize,
    /// Amid a line that is too long.
    skipping: bool,
    ended: bool,
    output: Vec<u8>,
    sent: usize,
    /// When it last asked something, or connected.
    pub(super) heard: Instant,
    /// When to go on with a client that asks too fast, or too much at a time.
    pub(super) resumes_at: Option<Instant>,
}

impl Connection {
    pub(super) fn new(link: Foreign, serial: u64, uid: u32, pid: u32, now: Instant) -> Self {
        Self {
            link,
            serial,
            uid,
            pid,
            phase: Phase::Open,
            bucket: Bucket::full(now),
            input: Vec::new(),
            searched: 0,
            skipping: false,
            ended: false,
            output: Vec::new(),
            sent: 0,
            heard: now,
            resumes_at: None,
        }
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.link.as_fd()
    }

    /// It waits for the answer to what it asked.
    pub(super) fn is_asking(&self) -> bool {
        self.phase == Phase::Asking
    }

    /// It waits for no answer and no events.
    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(super) fn is_following(&self) -> bool {
        matches!(self.phase, Phase::Following { .. })
    }

    /// Goes on until there is a request, or nothing to do.
    pub(super) fn step(&mut self, now: Instant) -> Step {
        self.resumes_at = None;
        for _ in 0..TURN {
            match self.phase {
                Phase::Open => {}
                // It is told nothing more, and asks nothing more.
                _ if self.hung_up() => return Step::Gone,
                _ => return Step::Idle,
            }
            // Who does not take the answers is not asked for more.
            if self.unsent() > 0 {
                return if self.hung_up() { Step::Gone } else { Step::Idle };
            }
            let end = self.input[self.searched..].iter().position(|byte| *byte == b'\n');
            self.searched = end.map_or(self.input.len(), |end| self.searched + end);
            let at_end = self.ended && !self.input.is_empty();
            if end.is_some() || self.input.len() > MAX_REQUEST || at_end {
                if let Err(next) = self.bucket.take(now) {
                    return self.pause(next);
                }
                match self.take_line(end.is_some()) {
                    None => {}
                    Some(Ok(command)) => {
                        self.heard = now;
                        self.phase = Phase::Asking;
                        return Step::Asked(command);
                    }
                    Some(Err(fault)) => match self.tell(&wire::fault(&fault)) {
                        Ok(()) => {}
                        Err(Gone) => return Step::Gone,
                    },
                }
            } else if self.ended {
                return Step::Gone;
            } else {
                match self.read() {
                    Ok(0) => self.ended = true,
                    Ok(_) | Err(Errno::EINTR) => {}
                    Err(Errno::EAGAIN) => return Step::Idle,
                    Err(_) => return Step::Gone,
                }
            }
        }
        self.pause(now)
    }

    fn pause(&mut self, until: Instant) -> Step {
        self.resumes_at = Some(until);
        Step::Paused
    }

    /// Takes what was searched out of the input: a line, or a part of one that is too long.
    fn take_line(&mut self, complete: bool) -> Option<Result<Command, Fault>> {
        let line: Vec<u8> = self.input.drain(..self.searched).collect();
        if complete {
            self.input.drain(..1);
        }
        self.searched = 0;
        if self.input.is_empty() && self.input.capacity() > KEEP {
            self.input = Vec::new();
        }
        let skipped = std::mem::replace(&mut self.skipping, !complete && !self.ended);
        if skipped {
            return None;
        }
        if line.len() > MAX_REQUEST {
            let what = format!("the line is longer than {MAX_REQUEST} bytes");
            return Some(Err(Fault::BadRequest { what }));
        }
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if line.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        Some(wire::read_request(line))
    }

    fn read(&mut self) -> nix::Result<usize> {
        let mut chunk = [0; CHUNK];
        let length = recv(self.link.as_raw_fd(), &mut chunk, MsgFlags::MSG_DONTWAIT)?;
        self.input.extend_from_slice(&chunk[..length]);
        Ok(length)
    }

    /// Whether both directions are closed: nobody is there. A client that has only said its last is.
    fn hung_up(&self) -> bool {
        let mut asked = [PollFd::new(self.link.as_fd(), PollFlags::empty())];
        let found = poll(&mut asked, PollTimeout::ZERO).is_ok_and(|count| count > 0);
        found
            && asked[0].revents().is_some_and(|seen| seen.intersects(PollFlags::POLLHUP | PollFlags::POLLERR))
    }

    /// Answers the request that was taken; the next may follow.
    pub(super) fn answer(&mut self, line: &str) -> Result<(), Gone> {
        if self.phase == Phase::Asking {
            self.phase = Phase::Open;
        }
        self.tell(line)
    }

    /// From now on it gets events.
    pub(super) fn follow(&mut self) {
        self.phase = Phase::Following { missed: 0 };
        self.input = Vec::new();
    }

    /// An event, as a line, for a follower.
    pub(super) fn publish(&mut self, line: &str) -> Result<(), Gone> {
        let Phase::Following { missed } = &mut self.phase else { return Ok(()) };
        let unsent = self.output.len() - self.sent;
        if *missed > 0 || unsent + line.len() > MAX_UNSENT {
            *missed += 1;
            return if *missed > MAX_MISSED { Err(Gone) } else { Ok(()) };
        }
        self.tell(line)
    }

    /// Puts the line behind what waits, and sends what can be sent.
    pub(super) fn tell(&mut self, line: &str) -> Result<(), Gone> {
        let waiting = self.unsent();
        if waiting > 0 && waiting + line.len() > MAX_UNSENT {
            return Err(Gone);
        }
        self.output.extend_from_slice(line.as_bytes());
        self.flush()
    }

    /// Sends what can be sent. A follower that has caught up is told what it missed.
    pub(super) fn flush(&mut self) -> Result<(), Gone> {
        loop {
            while self.sent < self.output.len() {
                let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
                match send(self.link.as_raw_fd(), &self.output[self.sent..], flags) {
                    Ok(length) => self.sent += length,
                    Err(Errno::EINTR) => {}
                    Err(Errno::EAGAIN) => return Ok(()),
                    Err(_) => return Err(Gone),
                }
            }
            self.output.clear();
            self.sent = 0;
            if self.output.capacity() > KEEP {
                self.output = Vec::new();
            }
            match &mut self.phase {
                Phase::Following { missed } if *missed > 0 => {
                    let count = std::mem::take(missed);
                    self.output.extend_from_slice(wire::event(&Event::Missed { count }, None).as_bytes());
                }
                _ => return Ok(()),
            }
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.input.capacity() + self.output.capacity()
    }

    fn unsent(&self) -> usize {
        self.output.len() - self.sent
    }
}

//! What a new version writes to stderr where streams are inherited: passed on byte for byte to the supervisor's own. A
//! reader that is slow is waited for, as the worker itself would wait; one that takes nothing is not.

use super::held::Held;
use crate::io::output::destination;
use crate::io::output::line_writer::{Drops, From, LineWriter};
use nix::sys::stat::fstat;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a reader may take nothing before the worker is let go on without it.
const PATIENCE: Duration = Duration::from_secs(1);
/// What is held back of one line at most.
const LONGEST: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Relay {
    sink: LineWriter,
    drops: Arc<Drops>,
    /// Pipes that are not read until there is room.
    held: Held,
    /// Since when there has been none.
    full_since: Option<Instant>,
}

impl Relay {
    /// Starts the thread that writes, unless there is one.
    pub(super) fn stderr() -> io::Result<Self> {
        Ok(Self::to(destination::stderr()?))
    }

    pub(super) fn to(sink: LineWriter) -> Self {
        let drops = sink.source(|count| {
            log::warn!("{count} lines of new workers' stderr were dropped: they are not read fast enough");
            None
        });
        Self { sink, drops, held: Held::default(), full_since: None }
    }

    /// Whether this pipe is to be read now; if not, it is held.
    pub(super) fn may_read(&mut self, key: usize, now: Instant) -> bool {
        if self.sink.has_room(From::Worker) {
            self.full_since = None;
            return true;
        }
        let since = *self.full_since.get_or_insert(now);
        let stuck = now.saturating_duration_since(since) >= PATIENCE;
        if !stuck {
            self.held.add(key, now);
        }
        stuck
    }

    /// When to look after the pipes that are held.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.held.next_deadline()
    }

    /// The pipes that are held, to be tried again.
    pub(super) fn take_held(&mut self) -> Vec<usize> {
        self.held.take()
    }

    /// Passes on whole lines: `rest` is what came before, and then what is still without its end. Lines for which there is
    /// no room are counted; `cut` is told that one lost its beginning, so that what follows of it is dropped too.
    pub(super) fn put(&self, rest: &mut Vec<u8>, bytes: &[u8], cut: &mut bool) {
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if end > 0 {
            if rest.is_empty() {
                self.offer(&bytes[..end], cut);
            } else {
                rest.extend_from_slice(&bytes[..end]);
                self.put_all(rest, cut);
            }
        }
        rest.extend_from_slice(&bytes[end..]);
        if rest.len() > LONGEST {
            self.put_all(rest, cut);
        }
    }

    /// The same for what is there, complete or not.
    pub(super) fn put_all(&self, rest: &mut Vec<u8>, cut: &mut bool) {
        self.offer(rest, cut);
        rest.clear();
    }

    fn offer(&self, bytes: &[u8], cut: &mut bool) {
        let Some(last) = bytes.last() else { return };
        let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        // Whoever asked before reading has found room. The last words of a process are taken beyond that.
        if !self.sink.has_room(From::Supervisor) {
            *cut = *last != b'\n';
            self.drops.add(lines(bytes) + u64::from(*cut));
            return;
        }
        let mut whole = bytes;
        if *cut {
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return };
            *cut = false;
            whole = &bytes[end + 1..];
        }
        if !whole.is_empty() {
            self.sink.put(From::Supervisor, whole, lines(whole), &self.drops);
        }
    }
}

/// Whether this process's stdout and stderr are one file, pipe or device, so that the order of what is written to both is seen. Of
/// a terminal that is not said: stdout is to stay one.
pub(super) fn is_one_stream() -> bool {
    let (Ok(out), Ok(err)) = (fstat(io::stdout()), fstat(io::stderr())) else { return false };
    (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino) && !io::stderr().is_terminal()
}

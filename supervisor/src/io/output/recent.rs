//! The last lines that a supervisor and its workers wrote, in memory, for who asks later. What is older than there is room for is
//! forgotten; who reads along is told how much was forgotten before it could be read.

use crate::api::{LogLine, LogStream};
use parking_lot::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

/// What is kept of one line, in bytes.
const LONGEST: usize = 4 * 1024;
/// And of all, the room that a line takes besides its text included.
const ROOM: usize = 512 * 1024;
const BESIDES: usize = 64;

/// The lines, shared by those who write and those who read.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    /// The oldest first.
    lines: VecDeque<LogLine>,
    bytes: usize,
    /// The number of the next line: that of the first one kept is less by their count.
    next: u64,
}

/// Takes lines of one moment.
#[derive(Debug)]
pub(crate) struct Keeping<'a> {
    ring: MutexGuard<'a, Ring>,
    at: u64,
}

/// What comes after a line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct After {
    pub(crate) lines: Vec<LogLine>,
    /// So many were forgotten before.
    pub(crate) missed: u64,
    /// The number of the next line to ask for.
    pub(crate) next: u64,
}

impl Recent {
    /// Keeps a line that was written now: by this worker, or by the supervisor.
    pub(crate) fn push(&self, worker: Option<&str>, stream: LogStream, text: &[u8]) {
        self.keeping().push(worker, stream, text);
    }

    /// For several lines that were written now. Nobody else writes or reads meanwhile, so nothing may be logged.
    pub(crate) fn keeping(&self) -> Keeping<'_> {
        #[expect(clippy::disallowed_methods, reason = "a line of a log tells when it was written")]
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        Keeping { ring: self.0.lock(), at }
    }

    /// Forgets all lines. Who reads along goes on with the next one.
    pub(crate) fn clear(&self) {
        let mut ring = self.0.lock();
        ring.lines.clear();
        ring.bytes = 0;
    }

    /// The last so many lines, of this worker or of all, and the number of the next one.
    pub(crate) fn last(&self, count: usize, worker: Option<&str>) -> (Vec<LogLine>, u64) {
        let ring = self.0.lock();
        let wanted = ring.lines.iter().rev().filter(|line| is_of(line, worker)).take(count);
        let mut lines: Vec<LogLine> = wanted.cloned().collect();
        lines.reverse();
        (lines, ring.next)
    }

    /// Lines from the one of this number on, of this worker or of all: some, if there are more than so many bytes.
    pub(crate) fn after(&self, number: u64, worker: Option<&str>, most: usize) -> After {
        let ring = self.0.lock();
        let first = ring.next - ring.lines.len() as u64;
        let mut after =
            After { missed: first.saturating_sub(number), next: number.max(first), ..After::default() };
        let mut bytes = 0;
        let skipped = usize::try_from(after.next - first).unwrap_or(usize::MAX);
        for line in ring.lines.iter().skip(skipped) {
            if bytes >= most {
                break;
            }
            after.next += 1;
            if is_of(line, worker) {
                bytes += size(line);
                after.lines.push(line.clone());
            }
        }
        after
    }
}

impl Keeping<'_> {
    /// Keeps a line.
    pub(crate) fn push(&mut self, worker: Option<&str>, stream: LogStream, text: &[u8]) {
        // In a flood each line takes the place of an older one, and its memory.
        let ring = &mut *self.ring;
        let spare = (ring.bytes > ROOM - ROOM / 8).then(|| ring.lines.pop_front()).flatten();
        let mut line = match spare {
            Some(line) => {
                ring.bytes -= size(&line);
                line
            }
            None => LogLine { at: 0, worker: None, stream, text: String::new() },
        };
        (line.at, line.stream) = (self.at, stream);
        match (&mut line.worker, worker) {
            (Some(old), Some(new)) => new.clone_into(old),
            (old, new) => *old = new.map(str::to_owned),
        }
        line.text.clear();
        let text = text.get(..LONGEST).unwrap_or(text);
        match std::str::from_utf8(text) {
            Ok(text) => line.text.push_str(text),
            Err(_) => line.text.push_str(&String::from_utf8_lossy(text)),
        }
        ring.bytes += size(&line);
        ring.lines.push_back(line);
        ring.next += 1;
        while ring.bytes > ROOM
            && let Some(oldest) = ring.lines.pop_front()
        {
            ring.bytes -= size(&oldest);
        }
    }
}

fn is_of(line: &LogLine, worker: Option<&str>) -> bool {
    worker.is_none_or(|worker| line.worker.as_deref() == Some(worker))
}

fn size(line: &LogLine) -> usize {
    BESIDES + line.text.len() + line.worker.as_ref().map_or(0, String::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[LogLine]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn the_last_are_kept_and_told_apart() {
        let recent = Recent::default();
        for number in 0..6 {
            let worker = ["0", "1"][number % 2];
            recent.push(Some(worker), LogStream::Stdout, number.to_string().as_bytes());
        }
        recent.push(None, LogStream::Log, b"worker 1 exited");
        let (lines, next) = recent.last(3, None);
        assert_eq!((texts(&lines), next), (vec!["4", "5", "worker 1 exited"], 7));
        assert_eq!(texts(&recent.last(10, Some("1")).0), ["1", "3", "5"]);
        assert!(lines[0].at > 1_700_000_000_000);
        let after = recent.after(4, Some("1"), 1000);
        assert_eq!((texts(&after.lines), after.missed, after.next), (vec!["5"], 0, 7));
        assert_eq!(recent.after(7, None, 1000), After { next: 7, ..After::default() });
    }

    #[test]
    fn what_does_not_fit_is_forgotten_and_counted() {
        let recent = Recent::default();
        for number in 0..1000 {
            let text = format!("{number:>5000}");
            recent.push(Some("0"), LogStream::Stderr, text.as_bytes());
        }
        let (lines, next) = recent.last(usize::MAX, None);
        assert!((100..150).contains(&lines.len()), "{}", lines.len());
        assert!(lines.iter().all(|line| line.text.len() == LONGEST));
        let after = recent.after(0, None, 10_000);
        assert_eq!((after.missed + lines.len() as u64, after.lines.len()), (next, 3));
        assert_eq!(after.next, after.missed + 3);
        let rest = recent.after(after.next, None, usize::MAX);
        assert_eq!((rest.missed, rest.lines.len(), rest.next), (0, lines.len() - 3, next));
    }
}

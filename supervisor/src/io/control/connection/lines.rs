//! A client that reads what is written as it is written: it gets lines as fast as it takes them. What is forgotten before is counted.

use super::{Connection, Gone, Phase};
use crate::api::{Event, LogLine};
use crate::io::control::wire;
use crate::io::output::recent::Recent;

/// So much is put into its buffer at a time: what it has not taken stays where it is kept.
const ROOM: usize = 64 * 1024;

impl Connection {
    /// From now on it gets lines of the logs.
    pub(in crate::io::control) fn read_lines(&mut self, next: u64, worker: Option<String>) {
        self.phase = Phase::Reading { next, worker };
        self.input = Vec::new();
    }

    /// The lines that it has not got yet, as far as it takes them. What is forgotten before it has room is told by number.
    pub(in crate::io::control) fn tell_lines(&mut self, recent: &Recent) -> Result<(), Gone> {
        while self.unsent() < ROOM {
            let Phase::Reading { next, worker } = &mut self.phase else { return Ok(()) };
            let after = recent.after(*next, worker.as_deref(), ROOM);
            *next = after.next;
            let mut text = String::new();
            if after.missed > 0 {
                text.push_str(&wire::event(&Event::Missed { count: after.missed }, None));
            }
            for LogLine { at, worker, stream, text: written } in after.lines {
                let line = Event::Line { worker, stream, text: written };
                text.push_str(&wire::event(&line, Some(at)));
            }
            if text.is_empty() {
                return Ok(());
            }
            self.tell(&text)?;
        }
        Ok(())
    }

    pub(in crate::io::control) fn is_reading_lines(&self) -> bool {
        matches!(self.phase, Phase::Reading { .. })
    }
}

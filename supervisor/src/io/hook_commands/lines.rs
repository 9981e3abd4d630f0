//! What a hook writes, cut into lines: a bounded number of them goes to the log, and the last are kept for who asks why it failed. It reads
//! nothing itself.

use std::collections::VecDeque;

/// So many lines of one run are written to the log.
const MOST: u64 = 200;
/// A longer line is cut into several.
const LONGEST: usize = 4096;
/// So many are kept, and so much of each.
const KEPT: usize = 20;
const KEPT_LENGTH: usize = 500;

/// The lines of one run.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// What has no end yet.
    begun: Vec<u8>,
    count: u64,
    last: VecDeque<String>,
}

impl Lines {
    /// Takes in what was read.
    pub(super) fn take(&mut self, bytes: &[u8], mut say: impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_whole) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let mut rest = text;
            while self.begun.len() + rest.len() > LONGEST {
                let (first, more) = rest.split_at(LONGEST - self.begun.len());
                self.begun.extend_from_slice(first);
                rest = more;
                self.end(&mut say);
            }
            self.begun.extend_from_slice(rest);
            if is_whole {
                self.end(&mut say);
            }
        }
    }

    /// Nothing more comes. Tells how many lines were left out.
    pub(super) fn finish(mut self, mut say: impl FnMut(&str)) -> Vec<String> {
        if !self.begun.is_empty() {
            self.end(&mut say);
        }
        if self.count > MOST {
            say(&format!("({} more lines were left out)", self.count - MOST));
        }
        self.last.into()
    }

    /// It writes more than is shown.
    pub(super) fn is_flood(&self) -> bool {
        self.count > MOST
    }

    fn end(&mut self, say: &mut impl FnMut(&str)) {
        let bytes = std::mem::take(&mut self.begun);
        self.count += 1;
        // Of a flood only the last lines are looked at.
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches('\r');
        if self.count <= MOST {
            say(text);
        }
        if !text.trim().is_empty() {
            if self.last.len() == KEPT {
                self.last.pop_front();
            }
            self.last.push_back(text.chars().take(KEPT_LENGTH).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pieces: &[&[u8]]) -> (Vec<String>, Vec<String>) {
        let (mut said, mut lines) = (Vec::new(), Lines::default());
        pieces.iter().for_each(|piece| lines.take(piece, |line| said.push(line.to_owned())));
        let last = lines.finish(|line| said.push(line.to_owned()));
        (said, last)
    }

    #[test]
    fn pieces_become_lines() {
        let (said, last) = told(&[b"on", b"e\r\ntw", b"o\n\n\xff"]);
        assert_eq!(said, ["one", "two", "", "\u{fffd}"]);
        assert_eq!(last, ["one", "two", "\u{fffd}"]);
        assert_eq!(told(&[]).0, [""; 0]);
    }

    #[test]
    fn long_lines_are_cut() {
        let (said, last) = told(&[&[b'x'; LONGEST], b"y\n", &[b'z'; 2 * LONGEST + 1]]);
        let lengths: Vec<usize> = said.iter().map(String::len).collect();
        assert_eq!(lengths, [LONGEST, 1, LONGEST, LONGEST, 1]);
        assert_eq!(last[0].len(), KEPT_LENGTH);
    }

    #[test]
    fn a_flood_is_counted() {
        let text: String = (0..1_000).map(|number| format!("{number}\n")).collect();
        let (said, last) = told(&[text.as_bytes()]);
        assert_eq!(said.len() as u64, MOST + 1);
        assert_eq!(said.last().unwrap(), "(800 more lines were left out)");
        assert_eq!((last.len(), last[KEPT - 1].as_str()), (KEPT, "999"));
    }
}

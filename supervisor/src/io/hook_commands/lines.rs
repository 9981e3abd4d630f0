//! What a hook writes, line by line: a bounded number of them goes to the log, and the last are kept for who asks why it failed. It reads
//! nothing itself.

use crate::io::output::lines::Lines;
use std::collections::VecDeque;

/// So many lines of one run are written to the log.
const MOST: u64 = 200;
/// A longer line is cut into several.
const LONGEST: usize = 4096;
/// So many are kept, and so much of each.
const KEPT: usize = 20;
const KEPT_LENGTH: usize = 500;

/// The lines of one run.
#[derive(Debug)]
pub(super) struct HookLines {
    cut: Lines,
    told: Told,
}

/// What has come of them.
#[derive(Debug, Default)]
struct Told {
    count: u64,
    last: VecDeque<String>,
}

impl Default for HookLines {
    fn default() -> Self {
        Self { cut: Lines::up_to(LONGEST), told: Told::default() }
    }
}

impl HookLines {
    /// Takes in what was read.
    pub(super) fn take(&mut self, bytes: &[u8], mut say: impl FnMut(&str)) {
        self.cut.feed(bytes, &mut |line| self.told.take(line, &mut say));
    }

    /// Nothing more comes. Tells how many lines were left out.
    pub(super) fn finish(mut self, mut say: impl FnMut(&str)) -> Vec<String> {
        self.cut.finish(&mut |line| self.told.take(line, &mut say));
        if self.told.count > MOST {
            say(&format!("({} more lines were left out)", self.told.count - MOST));
        }
        self.told.last.into()
    }

    /// It writes more than is shown.
    pub(super) fn is_flood(&self) -> bool {
        self.told.count > MOST
    }
}

impl Told {
    fn take(&mut self, line: &[u8], say: &mut impl FnMut(&str)) {
        self.count += 1;
        // Of a flood only the last lines are looked at.
        let text = String::from_utf8_lossy(line);
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
        let (mut said, mut lines) = (Vec::new(), HookLines::default());
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

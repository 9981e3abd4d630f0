//! The last lines that a worker wrote to stderr, kept for error reports; bounded in number and in bytes.

use std::collections::VecDeque;

const LINES: usize = 20;
/// What is kept of one line.
const LONGEST: usize = 1024;

/// The oldest first.
#[derive(Debug, Default)]
pub(super) struct Tail(VecDeque<Vec<u8>>);

impl Tail {
    pub(super) fn push(&mut self, line: &[u8]) {
        let mut kept = if self.0.len() < LINES { Vec::new() } else { self.0.pop_front().unwrap_or_default() };
        kept.clear();
        kept.extend_from_slice(line.get(..LONGEST).unwrap_or(line));
        self.0.push_back(kept);
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.0.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last() {
        let mut tail = Tail::default();
        for number in 0..50 {
            tail.push(number.to_string().as_bytes());
        }
        let lines = tail.lines();
        assert_eq!((lines.len(), lines[0].as_str(), lines[19].as_str()), (20, "30", "49"));
        tail.push(&[b'x'; 5000]);
        assert_eq!(tail.lines()[19].len(), LONGEST);
    }
}

//! Bytes in, lines out: what has no newline yet is kept, what grows too long is cut and continued. Knows no encoding
//! but where a UTF-8 character must not be cut.

/// The line that is not complete yet.
#[derive(Debug)]
pub(in crate::io) struct Lines {
    partial: Vec<u8>,
    longest: usize,
}

impl Lines {
    /// No line is longer than this.
    pub(in crate::io) fn up_to(longest: usize) -> Self {
        Self { partial: Vec::new(), longest }
    }

    /// Takes bytes and gives every line that is complete now, without its newline.
    pub(in crate::io) fn feed(&mut self, bytes: &[u8], each: &mut (impl FnMut(&[u8]) + ?Sized)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(body) = piece.strip_suffix(b"\n") else {
                self.extend(piece, each);
                return;
            };
            if self.partial.is_empty() && body.len() <= self.longest {
                each(body);
                continue;
            }
            self.extend(body, each);
            each(&self.partial);
            self.partial.clear();
        }
    }

    fn extend(&mut self, bytes: &[u8], each: &mut (impl FnMut(&[u8]) + ?Sized)) {
        self.partial.extend_from_slice(bytes);
        while self.partial.len() > self.longest {
            let cut = boundary(&self.partial, self.longest);
            each(&self.partial[..cut]);
            self.partial.drain(..cut);
        }
    }

    /// Gives the last line, if it had no newline.
    pub(in crate::io) fn finish(&mut self, each: &mut (impl FnMut(&[u8]) + ?Sized)) {
        if !self.partial.is_empty() {
            each(&self.partial);
            self.partial = Vec::new();
        }
    }
}

/// Where to cut: before the character that `longest` would go through, if these are characters.
fn boundary(bytes: &[u8], longest: usize) -> usize {
    let continues = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    (longest - 3..=longest).rev().find(|at| !continues(at)).unwrap_or(longest)
}

#[cfg(test)]
mod tests {
    use super::Lines;

    const LONGEST: usize = 64 * 1024;

    fn lines(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut lines = Lines::up_to(LONGEST);
        for chunk in chunks {
            lines.feed(chunk, &mut |line| found.push(line.to_vec()));
        }
        lines.finish(&mut |line| found.push(line.to_vec()));
        found
    }

    #[test]
    fn newlines_alone_end_lines() {
        assert_eq!(lines(&[b"a\nb", b"c\n", b"\n", b"d"]), [&b"a"[..], b"bc", b"", b"d"]);
        assert_eq!(lines(&[b"a\r\n\0\n"]), [&b"a\r"[..], b"\0"]);
        assert!(lines(&[b""]).is_empty());
    }

    #[test]
    fn long_lines_are_cut_and_continued() {
        let exact = [vec![b'x'; LONGEST], b"\n".to_vec()].concat();
        assert_eq!(lines(&[&exact]).len(), 1);
        let long = [vec![b'x'; 2 * LONGEST + 5], b"\ny\n".to_vec()].concat();
        for size in [1000, LONGEST, usize::MAX] {
            let chunks: Vec<&[u8]> = long.chunks(size).collect();
            let lengths: Vec<usize> = lines(&chunks).iter().map(Vec::len).collect();
            assert_eq!(lengths, [LONGEST, LONGEST, 5, 1]);
        }
    }

    #[test]
    fn no_character_is_cut() {
        let text = "x".to_owned() + &"€".repeat(LONGEST / 2);
        let found = lines(&[text.as_bytes()]);
        assert!(found.len() > 1 && found.iter().all(|line| std::str::from_utf8(line).is_ok()));
        assert_eq!(found.concat(), text.as_bytes());
        let noise = vec![0x80; LONGEST + 1];
        assert_eq!(lines(&[&noise]).concat(), noise);
    }
}

//! Rust text with its comments and literals blanked, so that a rule finds code and not talk about code. No parser:
//! it knows where a comment or a literal ends, and nothing else.

/// The text with every byte of comments, strings and character literals (but for the quotes) made a space. Length
/// and line breaks stay, so that positions mean the same in both.
pub(super) fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let (from, to) = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => (at, line_end(bytes, at)),
            b'/' if bytes[at..].starts_with(b"/*") => (at, comment_end(bytes, at)),
            b'"' => match raw_hashes(bytes, at) {
                Some(hashes) => (at + 1, raw_end(bytes, at + 1, hashes)),
                None => (at + 1, string_end(bytes, at + 1, b'"')),
            },
            b'\'' if is_character(bytes, at) => (at + 1, string_end(bytes, at + 1, b'\'')),
            _ => {
                at += 1;
                continue;
            }
        };
        for byte in &mut out[from..to] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        // A literal's closing quote is code again; step over it.
        at = if from == at { to } else { to + 1 };
    }
    // Only whole comments and literals were replaced, byte by byte by ASCII.
    String::from_utf8_lossy(&out).into_owned()
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |n| at + n)
}

fn comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// How many `#` stand between an `r` and the quote at `at`; `None` if it opens no raw string.
fn raw_hashes(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[..at].iter().rev().take_while(|byte| **byte == b'#').count();
    let before = &bytes[..at - hashes];
    let prefix =
        before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    matches!(&before[before.len() - prefix..], b"r" | b"br" | b"cr").then_some(hashes)
}

fn raw_end(bytes: &[u8], from: usize, hashes: usize) -> usize {
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    bytes[from..].windows(close.len()).position(|window| window == close).map_or(bytes.len(), |n| from + n)
}

fn string_end(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

/// A character literal and not a lifetime: an escape, or one character and the closing quote.
fn is_character(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at + 1) {
        None => false,
        Some(b'\\') => true,
        Some(first) => {
            let width = match first {
                0x00..0x80 => 1,
                0x80..0xe0 => 2,
                0xe0..0xf0 => 3,
                _ => 4,
            };
            bytes.get(at + 1 + width) == Some(&b'\'')
        }
    }
}

/// Blanks every item under `#[cfg(test)]` in already blanked code, up to its closing brace or semicolon.
pub(super) fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = code.to_owned();
    let mut from = 0;
    while let Some(found) = out[from..].find(MARK) {
        let start = from + found;
        let end = item_end(&out, start + MARK.len());
        let blanked: String = out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(start..end, &blanked);
        from = start + blanked.len();
    }
    out
}

fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0;
    for (at, c) in code[from..].char_indices() {
        match c {
            ';' if depth == 0 => return from + at + 1,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return from + at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// Where `word` stands as a word of its own: (byte, line from 1) of each.
pub(in crate::tidy) fn words(code: &str, word: &str) -> Vec<(usize, usize)> {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    let opens_name = word.starts_with(part_of_name);
    let ends_name = word.ends_with(part_of_name);
    code.match_indices(word)
        .filter(|(at, _)| !(opens_name && code[..*at].ends_with(part_of_name)))
        .filter(|(at, _)| !(ends_name && code[at + word.len()..].starts_with(part_of_name)))
        .map(|(at, _)| (at, line_of(code, at)))
        .collect()
}

/// The line (from 1) that holds the byte.
pub(super) fn line_of(code: &str, at: usize) -> usize {
    1 + code[..at].bytes().filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        let cases = [
            ("a // todo!()\nb", "a           \nb"),
            ("a /* x /* y */ z */ b", "a                   b"),
            (r#"f("a\"b", c)"#, r#"f("    ", c)"#),
            (r###"r#"a"b"# + c"###, r###"r#"   "# + c"###),
            ("br\"\\\" + c", "br\" \" + c"),
            ("'\"' + x + '\\'' + y", "' ' + x + '  ' + y"),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
            ("'\u{e9}' x", "'  ' x"),
            ("\"open", "\"    "),
        ];
        for (text, code) in cases {
            assert_eq!(blank(text), code, "{text}");
        }
    }

    #[test]
    fn tests_are_blanked_and_nothing_after_them() {
        let code = "a;\n#[cfg(test)]\nmod tests {\n fn x() {}\n}\nb;\n#[cfg(test)] mod sim;\nc;";
        let left = without_tests(code);
        assert_eq!(left.split_whitespace().collect::<Vec<_>>(), ["a;", "b;", "c;"]);
        assert_eq!(left.len(), code.len());
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(words("libc::x\nmylibc::x\nlibc::y", "libc::"), [(0, 1), (18, 3)]);
        assert_eq!(words("deprintln! eprintln!", "eprintln!"), [(11, 1)]);
    }
}

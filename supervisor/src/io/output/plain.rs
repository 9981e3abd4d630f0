//! Text that comes from outside (what workers write and say, names of processes and files), made fit for a terminal, a log or
//! a line of JSON: the one place that knows what is not. It never shortens and never refuses.

use std::borrow::Cow;
use std::fmt;

/// Shows the text with what could move, hide or reorder other text escaped, as `\u{1b}`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain<'a>(pub(crate) &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((at, odd)) = rest.char_indices().find(|(_, letter)| is_odd(*letter)) {
            f.write_str(&rest[..at])?;
            write!(f, "{}", odd.escape_default())?;
            rest = &rest[at + odd.len_utf8()..];
        }
        f.write_str(rest)
    }
}

/// The same for text that is JSON already, in which such characters can only be part of a string. Line ends stay.
pub(crate) fn json(text: &str) -> Cow<'_, str> {
    let is_left = |letter: char| is_odd(letter) && letter != '\n';
    if !text.contains(is_left) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            odd if is_left(odd) => escaped.push_str(&format!("\\u{:04x}", u32::from(odd))),
            letter => escaped.push(letter),
        }
    }
    Cow::Owned(escaped)
}

/// Control characters, line ends of other kinds, and what changes the direction of what follows.
fn is_odd(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_odd_is_escaped_and_the_rest_as_it_was() {
        for (text, shown) in [
            ("", ""),
            ("a b é 漢 🙂", "a b é 漢 🙂"),
            ("\x1b]0;title\x07\x1b[2Jx", "\\u{1b}]0;title\\u{7}\\u{1b}[2Jx"),
            ("a\r\n\tb\0\x7f", "a\\r\\n\\tb\\u{0}\\u{7f}"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("ab\u{202e}dc\u{2066}", "ab\\u{202e}dc\\u{2066}"),
        ] {
            assert_eq!(Plain(text).to_string(), shown);
        }
    }

    #[test]
    fn json_stays_what_it_says() {
        let odd = "\u{9b}2J\u{202e}\x7f\x1b é\n";
        let written = serde_json::to_string(odd).unwrap();
        let safe = json(&written);
        assert!(!safe.chars().any(is_odd), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), odd);
        assert!(matches!(json("{\"a\": \"é\"}\n"), Cow::Borrowed(_)));
    }
}

//! Words as a shell takes them, for command lines that people are shown.

use std::ffi::OsStr;

/// The word, in quotes where it needs them.
pub(in crate::cli) fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Words as one line.
pub(in crate::cli) fn line(words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> String {
    words.into_iter().map(|word| quoted(word.as_ref())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_where_they_are_needed() {
        for (word, expected) in [
            ("a-b/c.d:1", "a-b/c.d:1"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("*", "'*'"),
            ("é", "'é'"),
        ] {
            assert_eq!(quoted(OsStr::new(word)), expected);
        }
    }
}

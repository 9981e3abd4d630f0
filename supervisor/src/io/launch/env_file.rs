//! A file of variables, by the rules that the readers of `.env` files have in common: Node's `--env-file`, `dotenv` and
//! `python-dotenv`. Where these differ, the text stays as it is written. Nothing is expanded, and no line is passed over.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What is wrong with a line, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvFault {
    /// Neither a variable nor a comment.
    #[error("write NAME=value, a comment after #, or nothing")]
    NoVariable,
    /// Not what a variable can be called.
    #[error("a name is made of letters, digits, `_`, `.` and `-`")]
    Name,
    /// The file ends before the value does.
    #[error(
        "the quote that begins the value is never closed; close it, or put the whole value in other quotes"
    )]
    OpenQuote,
    /// Something between the value and the end of its line.
    #[error(
        "text follows the closing quote; write a comment after #, or put the whole value in other quotes"
    )]
    AfterQuote,
    /// No variable can hold it.
    #[error("it holds a NUL byte")]
    Nul,
}

/// One variable.
pub(crate) type Variable = (OsString, OsString);

/// All variables in their order; or the number of the first line that is at fault, from 1, and why.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Variable>, (usize, EnvFault)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut text = Text { bytes, at: 0 };
    let mut variables = Vec::new();
    while !text.is_at_end() {
        let start = text.at;
        let line = bytes[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
        match text.variable() {
            Ok(Some((_, value))) if value.as_bytes().contains(&0) => return Err((line, EnvFault::Nul)),
            Ok(variable) => variables.extend(variable),
            Err(fault) => return Err((line, fault)),
        }
    }
    Ok(variables)
}

/// The file, read up to a place.
struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Text<'a> {
    fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// What is left of the line, and past its end.
    fn line(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        self.at = (self.at + end + 1).min(self.bytes.len());
        &rest[..end]
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    }

    /// What begins here: a variable, or a line without one.
    fn variable(&mut self) -> Result<Option<Variable>, EnvFault> {
        let start = self.at;
        let line = self.line().trim_ascii_start();
        if line.trim_ascii().is_empty() || line.starts_with(b"#") {
            return Ok(None);
        }
        let equals = line.iter().position(|byte| *byte == b'=').ok_or(EnvFault::NoVariable)?;
        let name = line[..equals].trim_ascii_end();
        let name = match name.strip_prefix(b"export") {
            Some(rest) if rest.first().is_some_and(u8::is_ascii_whitespace) => rest.trim_ascii_start(),
            _ => name,
        };
        let proper = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
        if name.is_empty() || !name.iter().all(proper) {
            return Err(EnvFault::Name);
        }
        // Back to the place after the equals sign.
        let indent = self.bytes[start..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at = start + indent + equals + 1;
        let value = self.value()?;
        Ok(Some((OsString::from_vec(name.to_vec()), OsString::from_vec(value))))
    }

    fn value(&mut self) -> Result<Vec<u8>, EnvFault> {
        self.skip_blanks();
        match self.rest().first() {
            Some(&quote @ (b'"' | b'\'' | b'`')) => self.quoted(quote),
            _ => Ok(plain(self.line()).to_vec()),
        }
    }

    /// What stands in quotes, over lines if it does so.
    fn quoted(&mut self, quote: u8) -> Result<Vec<u8>, EnvFault> {
        let mut value = Vec::new();
        let mut inside = self.rest().iter().copied().enumerate().skip(1);
        let length = loop {
            let (place, byte) = inside.next().ok_or(EnvFault::OpenQuote)?;
            match byte {
                b'\\' if quote == b'"' => match inside.next().ok_or(EnvFault::OpenQuote)?.1 {
                    b'n' => value.push(b'\n'),
                    b'r' => value.push(b'\r'),
                    escaped @ (b'"' | b'\\') => value.push(escaped),
                    other => value.extend([b'\\', other]),
                },
                byte if byte == quote => break place + 1,
                byte => value.push(byte),
            }
        };
        self.at += length;
        let rest = self.line().trim_ascii();
        if rest.is_empty() || rest.starts_with(b"#") { Ok(value) } else { Err(EnvFault::AfterQuote) }
    }
}

/// A value without quotes: without blanks around it, and without a comment, which is one after a blank.
fn plain(line: &[u8]) -> &[u8] {
    let begins = |at: &usize| {
        line[*at] == b'#' && at.checked_sub(1).is_none_or(|before| line[before].is_ascii_whitespace())
    };
    let end = (0..line.len()).find(begins).unwrap_or(line.len());
    line[..end].trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(line: &str) -> String {
        let variables = parse(line.as_bytes()).unwrap_or_else(|fault| panic!("{line:?}: {fault:?}"));
        assert_eq!(variables.len(), 1, "{line:?}");
        variables[0].1.to_str().unwrap().to_owned()
    }

    /// Node 20's --env-file and python-dotenv 1 read these the same way.
    #[test]
    fn what_all_agree_on() {
        for (line, expected) in [
            ("A=3000 # http", "3000"),
            ("A=two words", "two words"),
            ("A =  1  ", "1"),
            ("A=1\r", "1"),
            ("A=", ""),
            ("A= # nothing", ""),
            ("export A=1", "1"),
            ("  export\tA=1", "1"),
            ("A=it's", "it's"),
            ("A=pa$word", "pa$word"),
            ("A=x=y", "x=y"),
            ("A=\"one\\ntwo\"", "one\ntwo"),
            ("A=\"x\" # c", "x"),
            ("A=\" x # y \"", " x # y "),
            ("A='a\\nb'", "a\\nb"),
            ("A=\"l1\nl2\"\n", "l1\nl2"),
            ("A='l1\n\n# l3'", "l1\n\n# l3"),
            ("\u{feff}A=1", "1"),
            ("A=ünï", "ünï"),
        ] {
            assert_eq!(value(line), expected, "{line:?}");
        }
    }

    #[test]
    fn where_they_differ_it_is_as_it_is_written() {
        for (line, expected) in [
            // Node cuts it off.
            ("A=http://x/#/a", "http://x/#/a"),
            // python-dotenv puts the variable in.
            ("A=${HOME}x", "${HOME}x"),
            ("A=\"$HOME\"", "$HOME"),
            // python-dotenv makes it a tab.
            ("A=\"a\\tb\"", "a\\tb"),
            // Node ends at the first quote, and keeps both backslashes.
            ("A=\"a\\\"b\"", "a\"b"),
            ("A=\"C:\\\\new\"", "C:\\new"),
            // python-dotenv keeps these quotes.
            ("A=`b 'c' \"d\"`", "b 'c' \"d\""),
        ] {
            assert_eq!(value(line), expected, "{line:?}");
        }
    }

    #[test]
    fn names_and_order_are_kept() {
        let text = "# a comment\n\n  # another\nA=1\nspring.profiles-active=x\n1st=y\nexport=z\nA=2";
        let read: Vec<_> = parse(text.as_bytes()).unwrap();
        let names: Vec<_> = read.iter().map(|(name, _)| name.to_str().unwrap()).collect();
        assert_eq!(names, ["A", "spring.profiles-active", "1st", "export", "A"]);
        assert_eq!(read.last().unwrap().1, "2");
        assert_eq!(parse(b"A=\xff\n").unwrap()[0].1, OsString::from_vec(vec![0xff]));
    }

    #[test]
    fn a_fault_is_told_with_its_line() {
        for (text, line, fault) in [
            ("A=1\n\nB\n", 3, EnvFault::NoVariable),
            ("A: 1", 1, EnvFault::NoVariable),
            ("=1", 1, EnvFault::Name),
            ("A B=1", 1, EnvFault::Name),
            ("A='l1\nl2'\nB=\"x\nC=1\n", 3, EnvFault::OpenQuote),
            ("A=\"x\\", 1, EnvFault::OpenQuote),
            ("A=\"x\"y", 1, EnvFault::AfterQuote),
            ("A='it's'", 1, EnvFault::AfterQuote),
            ("A=1\nB=\0", 2, EnvFault::Nul),
        ] {
            assert_eq!(parse(text.as_bytes()), Err((line, fault)), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_file_panics(text in "[ A=\"'`#\\\\\nx$-]{0,40}") {
            let _ = parse(text.as_bytes());
        }

        #[test]
        fn what_is_put_in_double_quotes_comes_out(text in "[ -~\n\r]{0,20}") {
            let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\r', "\\r");
            prop_assert_eq!(value(&format!("A=\"{escaped}\"")), text);
        }
    }
}

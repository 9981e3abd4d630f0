//! The `#!` line of a script, read as the kernel reads it, and what `env` makes of its part.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// The kernel looks at no more than this of a file.
pub(super) const MAX_LINE: usize = 256;

/// The interpreter and the one argument that may follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) interpreter: &'a OsStr,
    pub(super) argument: Option<&'a OsStr>,
}

impl<'a> Line<'a> {
    /// Reads the first bytes of a file; `None` if it is no script, or one that the kernel would refuse.
    pub(super) fn parse(start: &'a [u8]) -> Option<Self> {
        let rest = start.strip_prefix(b"#!")?;
        let end = rest.iter().position(|&byte| byte == b'\n' || byte == 0).unwrap_or(rest.len());
        let line = trim(&rest[..end]);
        let name_end = line.iter().position(|&byte| is_blank(byte)).unwrap_or(line.len());
        let (interpreter, argument) = line.split_at(name_end);
        // A name that fills the buffer may have been cut off.
        if interpreter.is_empty() || (end == rest.len() && start.len() == MAX_LINE && argument.is_empty()) {
            return None;
        }
        let argument = Some(trim(argument)).filter(|argument| !argument.is_empty());
        Some(Self { interpreter: OsStr::from_bytes(interpreter), argument: argument.map(OsStr::from_bytes) })
    }

    /// The program that `#!/usr/bin/env NAME` leads to; `None` if this is not `env`, or tells no plain name.
    pub(super) fn env_target(&self) -> Option<OsString> {
        if Path::new(self.interpreter).file_name() != Some(OsStr::new("env")) {
            return None;
        }
        let argument = self.argument?.as_bytes();
        let split = [&b"-S"[..], b"-vS", b"--split-string=", b"--split-string "];
        let Some(text) = split.iter().find_map(|option| argument.strip_prefix(*option)) else {
            // Without -S the whole argument is one word.
            return Some(argument).filter(|word| is_name(word)).map(|word| OsString::from_vec(word.to_vec()));
        };
        let mut words = split_words(text)?.into_iter();
        while let Some(word) = words.next() {
            match word.as_slice() {
                b"-u" | b"--unset" | b"-C" | b"--chdir" => drop(words.next()),
                option if option.starts_with(b"-") || option.contains(&b'=') => {}
                name => return Some(OsString::from_vec(name.to_vec())).filter(|_| is_name(name)),
            }
        }
        None
    }
}

/// Whether `env` would take this word for the program.
fn is_name(word: &[u8]) -> bool {
    !word.starts_with(b"-") && !word.contains(&b'=')
}

/// The words of `env -S`, with its quotes; `None` for what depends on more than the text, or is malformed.
fn split_words(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    for &byte in text {
        match (quote, byte) {
            (_, b'\\' | b'$') => return None,
            (None, b'\'' | b'"') => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (Some(open), _) if open == byte => quote = None,
            (None, b'#') if word.is_none() => break,
            (None, _) if byte.is_ascii_whitespace() => words.extend(word.take()),
            (None | Some(_), _) => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn trim(mut line: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = line
        && is_blank(*first)
    {
        line = rest;
    }
    while let [rest @ .., last] = line
        && is_blank(*last)
    {
        line = rest;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{Line, MAX_LINE};

    fn parts(start: &str) -> Option<(String, Option<String>)> {
        let line = Line::parse(start.as_bytes())?;
        let text = |s: &std::ffi::OsStr| s.to_string_lossy().into_owned();
        Some((text(line.interpreter), line.argument.map(text)))
    }

    #[test]
    fn lines_as_the_kernel_reads_them() {
        for (start, interpreter, argument) in [
            ("#!/bin/sh\n", "/bin/sh", None),
            ("#! /bin/sh -e \nexit", "/bin/sh", Some("-e")),
            ("#!\t/usr/bin/env  node --flag\n", "/usr/bin/env", Some("node --flag")),
            ("#!/bin/sh", "/bin/sh", None),
            ("#!/bin/sh\0junk\n", "/bin/sh", None),
        ] {
            assert_eq!(parts(start), Some((interpreter.into(), argument.map(Into::into))), "{start:?}");
        }
        let cut_off = format!("#!/{}", "x".repeat(MAX_LINE));
        for start in ["", "#", "# !/bin/sh", "#!\n/bin/sh", "#!  \n", &cut_off[..MAX_LINE]] {
            assert_eq!(parts(start), None, "{start:?}");
        }
    }

    #[test]
    fn what_env_leads_to() {
        for (line, target) in [
            ("#!/usr/bin/env node", Some("node")),
            ("#!/bin/env node --flag", Some("node --flag")),
            ("#!/usr/bin/env -S node --flag", Some("node")),
            ("#!/usr/bin/env -vS node", Some("node")),
            ("#!/usr/bin/env --split-string=node -x", Some("node")),
            ("#!/usr/bin/env -S -u HOME A=1 'my node' -x", Some("my node")),
            ("#!/usr/bin/env -S -i", None),
            ("#!/usr/bin/env -S ${NODE} x", None),
            ("#!/usr/bin/env -S 'node", None),
            ("#!/usr/bin/env -i", None),
            ("#!/usr/bin/env", None),
            ("#!/bin/sh node", None),
        ] {
            let found = Line::parse(line.as_bytes()).unwrap().env_target();
            assert_eq!(found.as_deref(), target.map(std::ffi::OsStr::new), "{line}");
        }
    }
}

//! How one captured line is written: decoded, and with the worker's name before it or as a JSON object.

use crate::config::{Encoding, LogFormat, Stream};
use crate::io::output::plain;
use serde::Serialize;
use std::borrow::Cow;

/// The bytes as UTF-8, or as they are.
pub(super) fn decode(encoding: Encoding, line: &[u8]) -> Cow<'_, [u8]> {
    match encoding {
        Encoding::Utf8 => match String::from_utf8_lossy(line) {
            Cow::Borrowed(_) => Cow::Borrowed(line),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        },
        Encoding::Latin1 if line.is_ascii() => Cow::Borrowed(line),
        Encoding::Latin1 => {
            Cow::Owned(line.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes())
        }
        Encoding::Raw => Cow::Borrowed(line),
    }
}

/// Writes lines of one worker's stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Render<'a> {
    pub(super) format: LogFormat,
    /// A line of text begins with the time.
    pub(super) time: bool,
    pub(super) cluster: &'a str,
    pub(super) worker: &'a str,
    pub(super) stream: Stream,
    /// The time of day, for JSON and where lines begin with it.
    pub(super) ts: &'a str,
}

#[derive(Serialize)]
struct Object<'a> {
    ts: &'a str,
    cluster: &'a str,
    worker: &'a str,
    stream: &'a str,
    text: &'a str,
}

impl Render<'_> {
    /// Appends a decoded line and a newline.
    pub(super) fn line(&self, into: &mut Vec<u8>, line: &[u8]) {
        match self.format {
            LogFormat::Text => {
                if self.time {
                    into.extend_from_slice(self.ts.as_bytes());
                    into.push(b' ');
                }
                into.extend_from_slice(format!("[{}/{}] ", self.cluster, self.worker).as_bytes());
                into.extend_from_slice(line);
            }
            LogFormat::Json => {
                let text = String::from_utf8_lossy(line);
                let object = Object {
                    ts: self.ts,
                    cluster: self.cluster,
                    worker: self.worker,
                    stream: self.stream.name(),
                    text: &text,
                };
                // Strings only: there is nothing in it that could not be written.
                let text = serde_json::to_string(&object).unwrap_or_default();
                into.extend_from_slice(plain::json(&text).as_bytes());
            }
        }
        into.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        let odd = b"a\xe9\xc3\xa9";
        assert_eq!(decode(Encoding::Utf8, odd).as_ref(), "a\u{fffd}é".as_bytes());
        assert_eq!(decode(Encoding::Latin1, odd).as_ref(), "aéÃ©".as_bytes());
        assert_eq!(decode(Encoding::Raw, odd).as_ref(), odd);
    }

    #[test]
    fn lines_and_objects() {
        let render = Render {
            format: LogFormat::Text,
            time: false,
            cluster: "web",
            worker: "7",
            stream: Stream::Stderr,
            ts: "2026-01-02T03:04:05.678Z",
        };
        let mut out = Vec::new();
        render.line(&mut out, b"a\xff");
        assert_eq!(out, b"[web/7] a\xff\n");
        out.clear();
        Render { time: true, ..render }.line(&mut out, b"a");
        assert_eq!(out, b"2026-01-02T03:04:05.678Z [web/7] a\n");
        out.clear();
        Render { format: LogFormat::Json, ..render }.line(&mut out, b"\"a\xff\t");
        let object: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(object["text"], "\"a\u{fffd}\t");
        assert_eq!((&object["worker"], &object["stream"]), (&"7".into(), &"stderr".into()));
        assert_eq!((&object["cluster"], &object["ts"]), (&"web".into(), &render.ts.into()));
    }
}

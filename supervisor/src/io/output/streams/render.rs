//! How one captured line is written: decoded, and with the worker's name before it or as a JSON object.

use crate::config::{Encoding, LogFormat, Stream};
use crate::io::output::plain;
use serde::Serialize;
use std::borrow::Cow;
use std::io::Write;

/// The bytes as UTF-8, or as they are; and whether some of them were no text and were replaced.
pub(super) fn decode(encoding: Encoding, line: &[u8]) -> (Cow<'_, [u8]>, bool) {
    match encoding {
        Encoding::Utf8 => match String::from_utf8_lossy(line) {
            Cow::Borrowed(_) => (Cow::Borrowed(line), false),
            Cow::Owned(text) => (Cow::Owned(text.into_bytes()), true),
        },
        Encoding::Latin1 if line.is_ascii() => (Cow::Borrowed(line), false),
        Encoding::Latin1 => {
            (Cow::Owned(line.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes()), false)
        }
        Encoding::Raw => (Cow::Borrowed(line), false),
    }
}

/// Colours of workers on a terminal, by their id: those that can be read on black and on white.
const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 31];

/// How lines of one stream look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// A line of text begins with the time.
    pub(super) time: bool,
    /// The name of the worker is in colour.
    pub(super) colours: bool,
}

/// Writes lines of one worker's stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Render<'a> {
    pub(super) format: LogFormat,
    pub(super) look: Look,
    pub(super) cluster: &'a str,
    pub(super) worker: &'a str,
    pub(super) pid: u32,
    pub(super) stream: Stream,
    /// The time of day, for JSON and where lines begin with it.
    pub(super) ts: &'a str,
}

#[derive(Serialize)]
struct Object<'a> {
    ts: &'a str,
    cluster: &'a str,
    worker: &'a str,
    pid: u32,
    stream: &'a str,
    text: &'a str,
    /// Bytes that were no UTF-8 stand in it as U+FFFD.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    invalid_utf8: bool,
}

impl Render<'_> {
    /// Appends a decoded line and a newline; `replaced` says that some of it was no text.
    pub(super) fn line(&self, into: &mut Vec<u8>, line: &[u8], replaced: bool) {
        match self.format {
            LogFormat::Text => {
                if self.look.time {
                    into.extend_from_slice(self.ts.as_bytes());
                    into.push(b' ');
                }
                let (cluster, worker) = (self.cluster, self.worker);
                let _ = match self.look.colours {
                    true => write!(into, "\x1b[{}m[{cluster}/{worker}]\x1b[0m ", colour(worker)),
                    false => write!(into, "[{cluster}/{worker}] "),
                };
                into.extend_from_slice(line);
            }
            LogFormat::Json => {
                let text = String::from_utf8_lossy(line);
                let object = Object {
                    ts: self.ts,
                    cluster: self.cluster,
                    worker: self.worker,
                    pid: self.pid,
                    stream: self.stream.name(),
                    invalid_utf8: replaced || matches!(text, Cow::Owned(_)),
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

/// The same for each process of a worker.
fn colour(worker: &str) -> u8 {
    let sum = |sum: usize, byte: u8| sum.wrapping_mul(31).wrapping_add(byte.into());
    let number = worker.parse().unwrap_or_else(|_| worker.bytes().fold(0, sum));
    COLOURS[number % COLOURS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        let odd = b"a\xe9\xc3\xa9";
        let decoded = |encoding| decode(encoding, odd);
        assert_eq!(decoded(Encoding::Utf8), (Cow::Borrowed("a\u{fffd}é".as_bytes()), true));
        assert_eq!(decoded(Encoding::Latin1), (Cow::Borrowed("aéÃ©".as_bytes()), false));
        assert_eq!(decoded(Encoding::Raw), (Cow::Borrowed(&odd[..]), false));
    }

    const RENDER: Render<'_> = Render {
        format: LogFormat::Text,
        look: Look { time: false, colours: false },
        cluster: "web",
        worker: "7",
        pid: 71,
        stream: Stream::Stderr,
        ts: "2026-01-02T03:04:05.678Z",
    };

    fn rendered(render: Render<'_>, line: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        render.line(&mut out, line, false);
        out
    }

    #[test]
    fn lines_and_objects() {
        assert_eq!(rendered(RENDER, b"a\xff"), b"[web/7] a\xff\n");
        let timed = Render { look: Look { time: true, colours: false }, ..RENDER };
        assert_eq!(rendered(timed, b"a"), b"2026-01-02T03:04:05.678Z [web/7] a\n");
        let json = Render { format: LogFormat::Json, ..RENDER };
        let object: serde_json::Value = serde_json::from_slice(&rendered(json, b"\"a\xff\t")).unwrap();
        assert_eq!((&object["text"], &object["invalid_utf8"]), (&"\"a\u{fffd}\t".into(), &true.into()));
        assert_eq!((&object["worker"], &object["stream"]), (&"7".into(), &"stderr".into()));
        assert_eq!((&object["cluster"], &object["ts"]), (&"web".into(), &RENDER.ts.into()));
        let object: serde_json::Value = serde_json::from_slice(&rendered(json, b"fine")).unwrap();
        assert_eq!((object["pid"].as_u64(), object.get("invalid_utf8")), (Some(71), None));
    }

    #[test]
    fn each_worker_has_its_colour() {
        let look = Look { time: false, colours: true };
        let line = |worker| rendered(Render { look, worker, ..RENDER }, b"a");
        assert_eq!(line("0"), b"\x1b[36m[web/0]\x1b[0m a\n");
        assert_eq!(line("1"), b"\x1b[33m[web/1]\x1b[0m a\n");
        assert_eq!(line("blue")[..4], line("blue")[..4]);
    }
}

//! The supervisor's own log on stderr, as lines for people or as JSON. Who logs never waits for who reads: what does not
//! fit is counted, and the count is told once the reader is back.

pub(super) mod stamp;

use super::ready::Mirror;
use super::sink::{Drops, From, Sink};
use crate::config::LogFormat;
use log::{Level, LevelFilter, Record};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;

/// Starts the log for the whole process. Where a logger is already installed it stays, and the guard has nothing to do.
pub(crate) fn init(level: LevelFilter, name: &str, format: LogFormat) -> io::Result<LogGuard> {
    let sink = Sink::stderr()?;
    let writer =
        Writer { drops: source(&sink, name, format), sink: sink.clone(), mirror: Mirror::from_env() };
    let name = name.to_owned();
    let logger = env_logger::Builder::new()
        .filter_level(level)
        // The event loop's own library has nothing to tell to who runs a cluster.
        .filter_module("mio", LevelFilter::Warn)
        .format(move |out, record| out.write_all(line(format, &name, record).as_bytes()))
        .target(env_logger::Target::Pipe(Box::new(writer)))
        .build();
    let max_level = logger.filter();
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        log::set_max_level(max_level);
    }
    Ok(LogGuard { sink })
}

fn source(sink: &Sink, name: &str, format: LogFormat) -> Arc<Drops> {
    let name = name.to_owned();
    sink.source(move |count| {
        let told = format!("{count} log lines were dropped");
        let record = |args| line(format, &name, &Record::builder().level(Level::Warn).args(args).build());
        Some(record(format_args!("{told}")).into_bytes())
    })
}

/// One line. In text, control characters, which a path or a worker's error may hold, are escaped; JSON does so anyway.
fn line(format: LogFormat, name: &str, record: &Record<'_>) -> String {
    let mut line = String::new();
    match format {
        LogFormat::Text => {
            // Formatting into a string fails only if the message itself refuses; then what there is of it is logged.
            let _ = write!(line, "clustermon {name}: {}", word(record.level()));
            let _ = write!(Escaped(&mut line), "{}", record.args());
        }
        LogFormat::Json => {
            let level = record.level().as_str().to_ascii_lowercase();
            let text = record.args().to_string();
            let object = Object { ts: stamp::now(), level: &level, cluster: name, text: &text };
            // Strings only: there is nothing in it that could not be written.
            line = serde_json::to_string(&object).unwrap_or_default();
        }
    }
    line.push('\n');
    line
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "error: ",
        Level::Warn => "warning: ",
        Level::Info => "",
        Level::Debug => "debug: ",
        Level::Trace => "trace: ",
    }
}

#[derive(Serialize)]
struct Object<'a> {
    ts: String,
    level: &'a str,
    cluster: &'a str,
    text: &'a str,
}

struct Escaped<'a>(&'a mut String);

impl std::fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for c in text.chars() {
            if c.is_control() {
                self.0.extend(c.escape_default());
            } else {
                self.0.push(c);
            }
        }
        Ok(())
    }
}

/// What the logger writes to: takes whole lines, never waits.
struct Writer {
    sink: Sink,
    drops: Arc<Drops>,
    mirror: Mirror,
}

impl Write for Writer {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.mirror.put(lines);
        self.sink.put(From::Supervisor, lines, 1, &self.drops);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Flushes the log when it is dropped.
#[derive(Debug)]
pub(crate) struct LogGuard {
    sink: Sink,
}

impl LogGuard {
    /// Waits until all that was logged is written, but no longer than 200 ms.
    pub(crate) fn flush(&self) {
        self.sink.flush();
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::super::ready::Mirror;
    use super::{Sink, Writer, line, source};
    use crate::config::LogFormat;
    use log::{Level, Record};
    use std::io::{Read, Write};

    fn formatted(format: LogFormat, level: Level, text: &str) -> String {
        line(format, "web", &Record::builder().level(level).args(format_args!("{text}")).build())
    }

    #[test]
    fn a_line_is_one_line() {
        let record = |level, text| formatted(LogFormat::Text, level, text);
        assert_eq!(record(Level::Info, "worker 0 started"), "clustermon web: worker 0 started\n");
        assert_eq!(record(Level::Error, "a\nb\x1b[2J é"), "clustermon web: error: a\\nb\\u{1b}[2J é\n");
    }

    #[test]
    fn a_line_of_json_is_one_object() {
        let line = formatted(LogFormat::Json, Level::Warn, "a\n\"b\" é");
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1, "{line}");
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&object["level"], &object["cluster"]), (&"warn".into(), &"web".into()));
        assert_eq!(object["text"], "a\n\"b\" é");
        assert_eq!(object["ts"].as_str().map(str::len), Some("2026-01-02T03:04:05.678Z".len()));
    }

    #[test]
    fn what_was_dropped_is_told_in_the_same_format() {
        for (format, told) in [
            (LogFormat::Text, "clustermon web: warning: 3 log lines were dropped\n"),
            (LogFormat::Json, "\"text\":\"3 log lines were dropped\"}\n"),
        ] {
            let (mut reader, writer) = std::io::pipe().unwrap();
            let sink = Sink::start(writer).unwrap();
            let mut writer = Writer { drops: source(&sink, "web", format), sink, mirror: Mirror::default() };
            writer.drops.add(3);
            writer.write_all(b"one\n").unwrap();
            drop(writer);
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            assert!(text.starts_with("one\n") && text.ends_with(told), "{text}");
        }
    }
}

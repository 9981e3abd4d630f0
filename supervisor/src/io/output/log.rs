//! The supervisor's own log on stderr, as lines for people or as JSON. Who logs never waits for who reads: what does not
//! fit is counted, and the count is told once the reader is back.

use super::line_writer::{Drops, From, LineWriter};
use super::log_file::place;
use super::plain::{self, Plain};
use super::recent::Recent;
use super::records::Fields;
use super::{destination, stamp};
use crate::api::LogStream;
use crate::config::{LogFormat, LogTime};
use log::{Level, LevelFilter, Record};
use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

/// The name of the cluster that the process runs, as every line has it.
static NAME: RwLock<String> = RwLock::new(String::new());

/// What is logged of which module, as `RUST_LOG` says it: `clustermon::event_loop=debug`.
const FILTERS: &str = "CLUSTERMON_LOG";

/// How a line is written.
#[derive(Clone, Copy, Debug)]
struct Style {
    format: LogFormat,
    /// With the time before it, which JSON has anyway.
    time: bool,
}

/// The lines of the log that were lost.
static LOST: Mutex<Option<Arc<Drops>>> = Mutex::new(None);

/// How many lines of this process's own log never reached it.
pub(crate) fn lost() -> u64 {
    LOST.lock().as_ref().map_or(0, |drops| drops.total())
}

/// What is logged is kept there too, until a cluster of this process takes it over and beyond: the command line runs one.
static RECENT: Mutex<Option<Arc<Recent>>> = Mutex::new(None);

/// Where the log of this process is kept, for its cluster: only once, and `None` where the log is somebody else's.
pub(crate) fn take_recent() -> Option<Arc<Recent>> {
    RECENT.lock().take()
}

/// Starts the log for the whole process. Where a logger is already installed it stays, and the guard has nothing to do.
pub(crate) fn init(level: LevelFilter, name: &str, format: LogFormat, time: LogTime) -> io::Result<LogGuard> {
    set_name(name);
    let style = Style { format, time: wants_time(time, io::stderr()) };
    let sink = destination::stderr()?;
    let writer = Writer { drops: source(&sink, style), sink: sink.clone() };
    *LOST.lock() = Some(writer.drops.clone());
    let mut builder = env_logger::Builder::new();
    // The libraries of the event loop and of watched files have nothing to tell to who runs a cluster.
    builder.filter_level(level).filter_module("mio", LevelFilter::Warn);
    for library in ["notify", "ignore", "globset"] {
        builder.filter_module(library, LevelFilter::Error);
    }
    // RUST_LOG is for workers, which have the same environment.
    if let Ok(filters) = std::env::var(FILTERS) {
        builder.parse_filters(&filters);
    }
    let (recent, told) = (Arc::new(Recent::default()), sink.clone());
    *RECENT.lock() = Some(recent.clone());
    let logger = builder
        .format(move |out, record| {
            let text = format!("{}{}", word(record.level()), Plain(&record.args().to_string()));
            recent.push(None, LogStream::Log, text.as_bytes());
            if destination::records().is_some() {
                told.mirror(|| line(style, &NAME.read(), record).into_bytes());
            }
            out.write_all(&own(style, record))
        })
        .target(env_logger::Target::Pipe(Box::new(writer)))
        .build();
    let max_level = logger.filter();
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        log::set_max_level(max_level);
    }
    Ok(LogGuard { sink })
}

/// The cluster has another name than it was to have, for that one was taken. To be called before anything is logged, or
/// two clusters seem to write one log.
pub(crate) fn set_name(name: &str) {
    name.clone_into(&mut NAME.write());
}

/// Whether lines for this stream begin with the time: if nothing is said, those in the file of `--log` do. A terminal is
/// watched as it is written, and whoever takes stderr (the journal, a container's log, a script) sees lines as ever.
pub(super) fn wants_time(time: LogTime, stream: impl AsFd) -> bool {
    is_timed(time, place::is_remembered() && place::is_file(stream))
}

fn is_timed(time: LogTime, in_log_file: bool) -> bool {
    match time {
        LogTime::On => true,
        LogTime::Off => false,
        LogTime::Auto => in_log_file,
    }
}

fn source(sink: &LineWriter, style: Style) -> Arc<Drops> {
    sink.source(move |count| {
        let told = format!("{count} log lines were dropped");
        let record = |args| own(style, &Record::builder().level(Level::Warn).args(args).build());
        Some(record(format_args!("{told}")))
    })
}

/// What is put into the queue for one line.
fn own(style: Style, record: &Record<'_>) -> Vec<u8> {
    let Some(records) = destination::records() else {
        return line(style, &NAME.read(), record).into_bytes();
    };
    let (name, text) = (NAME.read(), record.args().to_string());
    let priority = match record.level() {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    };
    let (pid, stream) = (std::process::id(), "log");
    let mut bytes = Vec::new();
    let fields = Fields { cluster: &name, worker: None, pid, stream, priority, text: text.as_bytes() };
    records.put(&mut bytes, &fields);
    bytes
}

/// One line, whatever a path or a worker's error may hold.
fn line(style: Style, name: &str, record: &Record<'_>) -> String {
    let mut line = String::new();
    match style.format {
        LogFormat::Text => {
            if style.time {
                line.push_str(&stamp::now());
                line.push(' ');
            }
            // Formatting into a string cannot fail.
            let _ = write!(line, "clustermon {name}: {}", word(record.level()));
            let _ = write!(line, "{}", Plain(&record.args().to_string()));
        }
        LogFormat::Json => {
            let level = record.level().as_str().to_ascii_lowercase();
            let text = record.args().to_string();
            let pid = std::process::id();
            let object = Object { ts: stamp::now(), level: &level, cluster: name, pid, text: &text };
            // Strings only: there is nothing in it that could not be written.
            line = plain::json(&serde_json::to_string(&object).unwrap_or_default()).into_owned();
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
    pid: u32,
    text: &'a str,
}

/// What the logger writes to: takes whole lines, never waits.
struct Writer {
    sink: LineWriter,
    drops: Arc<Drops>,
}

impl Write for Writer {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
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
    sink: LineWriter,
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
    use super::{LineWriter, Style, Writer, is_timed, line, source};
    use crate::config::{LogFormat, LogTime};
    use log::{Level, Record};
    use std::io::{Read, Write};

    fn formatted(format: LogFormat, level: Level, text: &str) -> String {
        let style = Style { format, time: false };
        line(style, "web", &Record::builder().level(level).args(format_args!("{text}")).build())
    }

    #[test]
    fn a_line_in_a_file_begins_with_the_time() {
        let record = Record::builder().level(Level::Info).args(format_args!("up")).build();
        let line = line(Style { format: LogFormat::Text, time: true }, "web", &record);
        let (time, rest) = line.split_at("2026-01-02T03:04:05.678Z".len());
        assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
        assert_eq!(rest, " clustermon web: up\n");
        for (time, in_file, elsewhere) in
            [(LogTime::Auto, true, false), (LogTime::On, true, true), (LogTime::Off, false, false)]
        {
            assert_eq!((is_timed(time, true), is_timed(time, false)), (in_file, elsewhere), "{time}");
        }
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
            (LogFormat::Text, ": warning: 3 log lines were dropped\n"),
            (LogFormat::Json, "\"text\":\"3 log lines were dropped\"}\n"),
        ] {
            let (mut reader, writer) = std::io::pipe().unwrap();
            let sink = LineWriter::start(super::super::line_writer::target::Descriptor::new(writer)).unwrap();
            let mut writer = Writer { drops: source(&sink, Style { format, time: false }), sink };
            writer.drops.add(3);
            writer.write_all(b"one\n").unwrap();
            drop(writer);
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            assert!(text.starts_with("one\n") && text.ends_with(told), "{text}");
        }
    }
}

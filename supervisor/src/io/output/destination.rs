//! Where lines go, of workers and of the supervisor: to the streams of this process, which may lead to a file, or to the journal or to syslog.
//! It is chosen once for the process, before anything is written.

use super::line_writer::target::Descriptor;
use super::line_writer::{LineWriter, Shared};
use super::log_file::place;
use super::log_file::target::FileTarget;
use super::records::syslog::{Address, Dialect};
use super::records::target::RecordTarget;
use super::records::{Fields, journal, syslog};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::OnceLock;

static STDOUT: Shared = Shared::new();
static STDERR: Shared = Shared::new();
/// Both, where lines go elsewhere, or both streams are the file of the log.
static OTHER: Shared = Shared::new();
static CHOSEN: OnceLock<Records> = OnceLock::new();

/// Who takes lines instead of the two streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogTo {
    Journal(PathBuf),
    Syslog(Address),
}

impl FromStr for LogTo {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (who, place) = text.split_once(':').map_or((text, None), |(who, place)| (who, Some(place)));
        match (who, place) {
            ("journald", None) => Ok(Self::Journal(journal::SOCKET.into())),
            ("journald", Some(path)) if path.starts_with('/') => Ok(Self::Journal(path.into())),
            ("syslog", None) => Ok(Self::Syslog(Address::Unix(syslog::SOCKET.into()))),
            ("syslog", Some(address)) => address.parse().map(Self::Syslog),
            _ => Err("give journald, syslog, syslog:/PATH or syslog:udp:HOST:PORT"),
        }
    }
}

/// The way there.
#[derive(Debug)]
pub(super) struct Records {
    to: LogTo,
    /// Of this machine, for syslog over the network.
    host: String,
}

impl Records {
    /// Appends a record.
    pub(super) fn put(&self, into: &mut Vec<u8>, fields: &Fields<'_>) {
        match &self.to {
            LogTo::Journal(_) => journal::put(into, fields),
            LogTo::Syslog(Address::Unix(_)) => syslog::put(into, Dialect::Local, &self.host, fields),
            LogTo::Syslog(Address::Udp(_)) => syslog::put(into, Dialect::Network, &self.host, fields),
        }
    }

    fn target(&self) -> RecordTarget {
        match &self.to {
            LogTo::Journal(path) => RecordTarget::new(Address::Unix(path.clone()), true),
            LogTo::Syslog(address) => RecordTarget::new(address.clone(), false),
        }
    }
}

/// Lines go there from now on. An error if nobody is there, so that it is told to who is at the terminal.
pub(crate) fn choose(to: &LogTo) -> io::Result<()> {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let host: String = host.to_string_lossy().chars().filter(char::is_ascii_graphic).collect();
    let records = Records { to: to.clone(), host: if host.is_empty() { "-".to_owned() } else { host } };
    records.target().is_there()?;
    let _ = CHOSEN.set(records);
    Ok(())
}

/// The way for records; `None` where lines of text or JSON go to the streams.
pub(super) fn records() -> Option<&'static Records> {
    CHOSEN.get()
}

/// Where lines for standard output go: one queue for all who write there.
pub(super) fn stdout() -> io::Result<LineWriter> {
    sink(&STDOUT, io::stdout)
}

/// The same of standard error. Where both streams are one file, or lines go elsewhere, it is the same queue.
pub(super) fn stderr() -> io::Result<LineWriter> {
    sink(&STDERR, io::stderr)
}

fn sink<F: AsFd + Send + 'static>(stream: &Shared, open: fn() -> F) -> io::Result<LineWriter> {
    if let Some(records) = records() {
        return LineWriter::shared(&OTHER, || Ok(records.target()));
    }
    if place::is_written() {
        return LineWriter::shared(&OTHER, FileTarget::of_process);
    }
    LineWriter::shared(stream, || Ok(Descriptor::new(open())))
}

/// Whether who looks at this stream wants to see colours: a terminal that has some, and NO_COLOR not set (<https://no-color.org>).
pub(crate) fn has_colours(stream: &impl IsTerminal) -> bool {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    stream.is_terminal()
        && variable("NO_COLOR").is_none()
        && variable("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_who_takes_lines() {
        assert_eq!("journald".parse(), Ok(LogTo::Journal(journal::SOCKET.into())));
        assert_eq!("journald:/run/own/socket".parse(), Ok(LogTo::Journal("/run/own/socket".into())));
        assert_eq!("syslog".parse(), Ok(LogTo::Syslog(Address::Unix("/dev/log".into()))));
        let network = Address::Udp("logs.example:514".to_owned());
        assert_eq!("syslog:udp:logs.example:514".parse(), Ok(LogTo::Syslog(network)));
        for odd in ["", "file", "journald:", "journald:x", "syslog:", "syslog:tcp:x:1"] {
            assert!(odd.parse::<LogTo>().is_err(), "{odd}");
        }
    }
}

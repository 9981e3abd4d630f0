//! Options on what happens to the lines that workers write, and the callback of a program that takes them itself. Reads and writes
//! nothing.

use crate::settings::{ConfigError, default_as_shown};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// How what workers write is passed on.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Output")]
#[non_exhaustive]
pub struct Output {
    /// Where it goes; the command line has a flag for one of these.
    #[arg(skip)]
    pub capture: Capture,
    /// How captured lines are read: utf-8, latin1 or raw [default: utf-8]
    #[arg(long)]
    pub encoding: Option<Encoding>,
    /// How captured lines and the log are written: text, or json for one object a line
    #[arg(long, value_name = "text|json", default_value_t)]
    pub log_format: LogFormat,
    /// Whether lines of text in the log, and captured ones, begin with the time: auto (those in the file of --log), on or off
    #[arg(long, value_name = "auto|on|off", default_value_t)]
    pub log_time: LogTime,
    /// What becomes of captured lines that come faster than they can be written: drop (they are counted), or block (workers wait)
    #[arg(long, value_name = "drop|block", default_value_t)]
    pub log_full: LogFull,
}

default_as_shown!(Output);

impl Output {
    pub(in crate::settings) fn check(&self) -> Result<(), ConfigError> {
        match self.capture {
            Capture::Inherit if self.encoding.is_some() => Err(ConfigError::EncodingWithoutCapture),
            _ => Ok(()),
        }
    }
}

/// Where the standard output and standard error of workers go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capture {
    /// Workers write to the supervisor's own streams, untouched and unseen by it; only what the processes of a reload
    /// write to stderr is read, and passed on as it is, so that a reload that fails can say why.
    #[default]
    Inherit,
    /// Line by line, as `[NAME/ID] LINE`, to the supervisor's own standard output and standard error.
    Streams,
    /// Line by line to the `log` facade at level info, as `[NAME/ID] LINE`, with the target `clustermon::stdout` or
    /// `clustermon::stderr`.
    Log,
    /// Line by line to a function of the embedding program.
    Lines(LineHandler),
}

/// Which of a worker's two streams a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// `stdout` or `stderr`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

type TakeLine = dyn Fn(&str, Stream, &[u8]) + Send + Sync;

/// A function that takes each captured line. It runs in the cluster's own thread, which serves nobody meanwhile: it
/// must not wait, and must not panic.
#[derive(Clone)]
pub struct LineHandler(Arc<TakeLine>);

impl LineHandler {
    /// The function is given the worker's logical id, the stream and the line, without its newline. What
    /// [`Encoding::Utf8`] or [`Encoding::Latin1`] has decoded is valid UTF-8. At most 64 KiB of a line come at a time.
    pub fn new(handler: impl Fn(&str, Stream, &[u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(handler))
    }

    /// Hands one line over.
    pub(crate) fn take(&self, id: &str, stream: Stream, line: &[u8]) {
        (self.0)(id, stream, line);
    }
}

impl fmt::Debug for LineHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LineHandler(..)")
    }
}

/// Two are the same if they are clones of one.
impl PartialEq for LineHandler {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for LineHandler {}

/// How the bytes of captured lines are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// What is not UTF-8 becomes U+FFFD.
    #[default]
    Utf8,
    /// Every byte is the character of its number.
    Latin1,
    /// Passed on as they are; only a JSON log, which must be text, reads them as UTF-8.
    Raw,
}

/// How the supervisor's log and captured lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Whether a line of text in the log, or a captured one, begins with the time. In JSON it is there always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogTime {
    /// In the file of `--log`; not on a stderr that leads elsewhere, which may have times of its own.
    #[default]
    Auto,
    /// Everywhere.
    On,
    /// Nowhere.
    Off,
}

/// What becomes of captured lines for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFull {
    /// They are dropped and counted: no worker waits for a slow disk or reader.
    #[default]
    Drop,
    /// They stay where they are, and workers that write wait, as they would without the supervisor.
    Block,
}

macro_rules! words {
    ($type:ident: $($word:literal => $variant:ident),+; $advice:literal) => {
        impl FromStr for $type {
            type Err = &'static str;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($advice),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self {
                    $(Self::$variant => $word,)+
                })
            }
        }
    };
}

words!(Encoding: "utf-8" => Utf8, "latin1" => Latin1, "raw" => Raw; "give utf-8, latin1 or raw");
words!(LogTime: "auto" => Auto, "on" => On, "off" => Off; "give auto, on or off");
words!(LogFull: "drop" => Drop, "block" => Block; "give drop or block");
words!(LogFormat: "text" => Text, "json" => Json; "give text or json");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for encoding in [Encoding::Utf8, Encoding::Latin1, Encoding::Raw] {
            assert_eq!(encoding.to_string().parse(), Ok(encoding));
        }
        for format in [LogFormat::Text, LogFormat::Json] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        for time in [LogTime::Auto, LogTime::On, LogTime::Off] {
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        assert_eq!("UTF8".parse::<Encoding>(), Err("give utf-8, latin1 or raw"));
    }

    #[test]
    fn a_handler_is_itself_only() {
        let one = LineHandler::new(|_, _, _| {});
        assert_eq!(one, one.clone());
        assert_ne!(one, LineHandler::new(|_, _, _| {}));
    }
}

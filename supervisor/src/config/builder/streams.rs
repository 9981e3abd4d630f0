//! The options on what runs the command and where its standard streams go, with their checks.

use super::Builder;
use crate::config::{Capture, ConfigError, Encoding, LogFormat, LogTime};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// What is set so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams {
    interpreter: Option<OsString>,
    interpreter_args: Vec<OsString>,
    capture: Capture,
    encoding: Option<Encoding>,
    log_format: LogFormat,
    log_time: LogTime,
}

/// The same, checked.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) interpreter: Vec<OsString>,
    pub(super) capture: Capture,
    pub(super) encoding: Encoding,
    pub(super) log_format: LogFormat,
    pub(super) log_time: LogTime,
}

impl Builder {
    /// What runs the command, as a name in PATH or a path: the process is given this, its arguments, then the command,
    /// which need not be executable then but must be a file that is there.
    pub fn interpreter(mut self, program: impl Into<OsString>) -> Self {
        self.streams.interpreter = Some(program.into());
        self
    }

    /// One more argument of the interpreter, before the command.
    pub fn interpreter_arg(mut self, arg: impl Into<OsString>) -> Self {
        self.streams.interpreter_args.push(arg.into());
        self
    }

    /// Where the standard output and standard error of workers go; by default they inherit those of this process.
    pub fn capture(mut self, capture: Capture) -> Self {
        self.streams.capture = capture;
        self
    }

    /// How captured lines are read; by default as UTF-8.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.streams.encoding = Some(encoding);
        self
    }

    /// How lines captured with [`Capture::Streams`] are written. Of the supervisor's own log only the program
    /// `clustermon` decides; a program that links the library has a logger of its own.
    pub fn log_format(mut self, format: LogFormat) -> Self {
        self.streams.log_format = format;
        self
    }

    /// Whether lines captured with [`Capture::Streams`] begin with the time, if they are no JSON; by default those in a
    /// file. The same of the program `clustermon`'s own log.
    pub fn log_time(mut self, time: LogTime) -> Self {
        self.streams.log_time = time;
        self
    }
}

impl Streams {
    pub(super) fn check(self) -> Result<Checked, ConfigError> {
        if self.interpreter.is_none() && !self.interpreter_args.is_empty() {
            return Err(ConfigError::NoInterpreter);
        }
        if self.interpreter.as_ref().is_some_and(|program| program.is_empty()) {
            return Err(ConfigError::EmptyInterpreter);
        }
        let interpreter: Vec<OsString> = self.interpreter.into_iter().chain(self.interpreter_args).collect();
        if interpreter.iter().any(|arg| arg.as_bytes().contains(&0)) {
            return Err(ConfigError::NulInInterpreter);
        }
        if self.encoding.is_some() && self.capture == Capture::Inherit {
            return Err(ConfigError::EncodingWithoutCapture);
        }
        let encoding = self.encoding.unwrap_or_default();
        let Self { capture, log_format, log_time, .. } = self;
        Ok(Checked { interpreter, capture, encoding, log_format, log_time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_kept() {
        let config = Builder::new(["server.js", "--port"])
            .interpreter("node")
            .interpreter_arg("--harmony")
            .interpreter_arg("-r")
            .capture(Capture::Log)
            .encoding(Encoding::Latin1)
            .log_format(LogFormat::Json)
            .log_time(LogTime::On)
            .build_for(1)
            .unwrap();
        assert_eq!(config.argv(), ["node", "--harmony", "-r", "server.js", "--port"]);
        assert_eq!((config.name.as_str(), config.command.len()), ("server", 2));
        assert_eq!((config.capture, config.encoding), (Capture::Log, Encoding::Latin1));
        assert_eq!((config.log_format, config.log_time), (LogFormat::Json, LogTime::On));

        let config = Builder::new(["x", "y"]).build_for(1).unwrap();
        assert_eq!(config.argv(), ["x", "y"]);
        assert_eq!((config.capture, config.encoding), (Capture::Inherit, Encoding::Utf8));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let fault = |change: fn(Builder) -> Builder| {
            change(Builder::new(["x"])).build_for(1).unwrap_err().to_string()
        };
        assert!(fault(|b| b.interpreter_arg("-r")).contains("--interpreter-arg: give --interpreter"));
        assert!(fault(|b| b.interpreter("")).contains("--interpreter: the name is empty"));
        assert!(fault(|b| b.interpreter("a\0b")).contains("NUL"));
        assert!(fault(|b| b.encoding(Encoding::Raw)).contains("--encoding: give --capture too"));
    }
}

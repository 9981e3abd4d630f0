//! The methods of the builder for options on what is run and where its output goes, one for each option, under the flag's name.

use super::Builder;
use crate::config::{Capture, Encoding, Intercept, LogFormat, LogFull, LogTime};
use std::ffi::OsString;
use std::path::PathBuf;

impl Builder {
    /// The thunk to preload.
    pub fn thunk(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.program.thunk = Some(path.into());
        self
    }

    /// How the listeners of workers come to the cluster; by default as the program needs it.
    pub fn intercept(mut self, intercept: Intercept) -> Self {
        self.settings.program.intercept = intercept;
        self
    }

    /// Where workers run: looked up anew by each reload, so that it may be a link to the current version. By default where
    /// the supervisor was started.
    pub fn cwd(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.program.cwd = Some(path.into());
        self
    }

    /// A file of variables for workers, `NAME=value` a line, read anew by each reload.
    pub fn env_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.program.env_file = Some(path.into());
        self
    }

    /// Whether `{id}` in the arguments of the command and in the variables for workers is replaced by the logical id of each, and `{port}`
    /// by the `base_port` plus its place.
    pub fn placeholders(mut self, yes: bool) -> Self {
        self.settings.program.placeholders = yes;
        self
    }

    /// The port that `{port}` stands for in the first worker; each other has the next.
    pub fn base_port(mut self, port: u16) -> Self {
        self.settings.program.base_port = Some(port);
        self
    }

    /// The file mode creation mask of workers, such as `0o027`; by default they inherit that of this process. As the kernel does, no
    /// other bits than those of `0o777` count.
    pub fn umask(mut self, mode: u32) -> Self {
        self.settings.program.umask = Some(mode);
        self
    }

    /// What runs the command, as a name in PATH or a path: the process is given this, its arguments, then the command,
    /// which need not be executable then but must be a file that is there.
    pub fn interpreter(mut self, program: impl Into<OsString>) -> Self {
        self.settings.program.interpreter = Some(program.into());
        self
    }

    /// One more argument of the interpreter, before the command.
    pub fn interpreter_arg(mut self, arg: impl Into<OsString>) -> Self {
        self.settings.program.interpreter_arg.push(arg.into());
        self
    }

    /// Where the standard output and standard error of workers go; by default they inherit those of this process.
    pub fn capture(mut self, capture: Capture) -> Self {
        self.settings.output.capture = capture;
        self
    }

    /// How captured lines are read; by default as UTF-8.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.settings.output.encoding = Some(encoding);
        self
    }

    /// How lines captured with [`Capture::Streams`] are written. Of the supervisor's own log only the program
    /// `clustermon` decides; a program that links the library has a logger of its own.
    pub fn log_format(mut self, format: LogFormat) -> Self {
        self.settings.output.log_format = format;
        self
    }

    /// What becomes of lines captured with [`Capture::Streams`] that come faster than they can be written; by default they are dropped
    /// and counted.
    pub fn log_full(mut self, full: LogFull) -> Self {
        self.settings.output.log_full = full;
        self
    }

    /// Whether lines captured with [`Capture::Streams`] begin with the time, if they are no JSON; by default those in a
    /// file. The same of the program `clustermon`'s own log.
    pub fn log_time(mut self, time: LogTime) -> Self {
        self.settings.output.log_time = time;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Builder;

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
        let output = config.settings.output;
        assert_eq!((output.capture, output.encoding), (Capture::Log, Some(Encoding::Latin1)));
        assert_eq!((output.log_format, output.log_time), (LogFormat::Json, LogTime::On));

        let config = Builder::new(["x", "y"]).build_for(1).unwrap();
        assert_eq!(config.argv(), ["x", "y"]);
        assert_eq!(
            (config.settings.output.capture, config.settings.output.encoding),
            (Capture::Inherit, None)
        );
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

//! The flags of `clustermon run` on what runs the command and where its standard streams go.

use crate::config::{Builder, Capture, Encoding, LogFormat, LogTime};
use std::ffi::OsString;

#[derive(Debug, clap::Args)]
pub(super) struct StreamArgs {
    /// Run INTERPRETER with its arguments, then COMMAND, which need not be executable then
    #[arg(long, value_name = "INTERPRETER")]
    interpreter: Option<OsString>,
    /// Argument of the interpreter, before COMMAND; repeatable
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    interpreter_arg: Vec<OsString>,
    /// Read what workers write to stdout and stderr, and pass it on line by line as `[NAME/ID] LINE` [default: they
    /// inherit both]
    #[arg(long)]
    capture: bool,
    /// How captured lines are read: utf-8, latin1 or raw [default: utf-8]
    #[arg(long)]
    encoding: Option<Encoding>,
    /// How captured lines and the log are written: text, or json for one object a line
    #[arg(long, value_name = "text|json", default_value_t)]
    log_format: LogFormat,
    /// Whether lines of text in the log, and captured ones, begin with the time: auto (those in the file of --log), on or off
    #[arg(long, value_name = "auto|on|off", default_value_t)]
    log_time: LogTime,
}

impl StreamArgs {
    pub(super) fn apply(self, mut builder: Builder) -> Builder {
        if let Some(interpreter) = self.interpreter {
            builder = builder.interpreter(interpreter);
        }
        builder = self.interpreter_arg.into_iter().fold(builder, Builder::interpreter_arg);
        if self.capture {
            builder = builder.capture(Capture::Streams);
        }
        if let Some(encoding) = self.encoding {
            builder = builder.encoding(encoding);
        }
        builder.log_format(self.log_format).log_time(self.log_time)
    }
}

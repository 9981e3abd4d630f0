//! Options on what is run, and where.

use crate::settings::{ConfigError, Intercept, default_as_shown};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How the program is run.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Program")]
#[non_exhaustive]
pub struct Program {
    /// Run INTERPRETER with its arguments, then COMMAND, which need not be executable then
    #[arg(long, value_name = "INTERPRETER")]
    pub interpreter: Option<OsString>,
    /// Argument of the interpreter, before COMMAND; repeatable
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub interpreter_arg: Vec<OsString>,
    /// Where workers run, looked up anew by each reload: it may be a link to the current version [default: here]
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
    /// Variables for workers, NAME=value a line, read anew by each reload
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// Replace {id} in the arguments of COMMAND and in variables of --env-file by the worker's logical id, and {port} by --base-port
    /// plus the worker's place, from 0
    #[arg(long)]
    pub placeholders: bool,
    /// The port that {port} stands for in the first worker; each other has the next
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub base_port: Option<u16>,
    /// File mode creation mask of workers, in octal, such as 027; it holds for the files of unix sockets, too [default: inherited]
    #[arg(long, value_name = "MODE", value_parser = mode)]
    pub umask: Option<u32>,
    /// Thunk to preload [default: CLUSTERMON_THUNK, else the one beside this program, in ../lib/clustermon, or inside it]
    #[arg(long, value_name = "PATH")]
    pub thunk: Option<PathBuf>,
    /// How listeners come to the cluster: preload (by the thunk), seccomp (by a filter that has bind and listen wait for the
    /// supervisor), auto (preload; seccomp for static programs and those in Go)
    #[arg(long, value_name = "HOW", default_value_t)]
    pub intercept: Intercept,
}

default_as_shown!(Program);

impl Program {
    /// The interpreter and its arguments; nothing where the command is the program.
    pub fn interpreter(&self) -> impl Iterator<Item = &OsString> {
        self.interpreter.iter().chain(&self.interpreter_arg)
    }

    pub(in crate::settings) fn check(&self) -> Result<(), ConfigError> {
        if self.interpreter.is_none() && !self.interpreter_arg.is_empty() {
            return Err(ConfigError::NoInterpreter);
        }
        if self.interpreter.as_ref().is_some_and(|program| program.is_empty()) {
            return Err(ConfigError::EmptyInterpreter);
        }
        if self.interpreter().any(|arg| arg.as_bytes().contains(&0)) {
            return Err(ConfigError::NulInInterpreter);
        }
        if self.base_port.is_some() && !self.placeholders {
            return Err(ConfigError::BasePort);
        }
        for (option, path) in [("cwd", &self.cwd), ("env-file", &self.env_file), ("thunk", &self.thunk)] {
            if path.as_ref().is_some_and(|path| path == Path::new("")) {
                return Err(ConfigError::EmptyPath { option });
            }
        }
        Ok(())
    }
}

/// A mask as the shell's `umask` takes it.
fn mode(text: &str) -> Result<u32, &'static str> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    mode.filter(|mode| *mode <= 0o777).ok_or("write a mask in octal, from 0 to 777")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_octal() {
        assert_eq!(["0", "22", "027", "0777"].map(mode), [Ok(0), Ok(0o22), Ok(0o27), Ok(0o777)]);
        for text in ["", "8", "1000", "-1", "+22", "0o22", "u=rwx"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }
}

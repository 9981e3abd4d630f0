//! The other commands of clustermon, as a person gives them, and the control socket beneath them.

use crate::clusters::cluster::Cluster;
use crate::programs::places::clustermon;
use crate::system::wait::PATIENCE;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// The command `clustermon WORDS`, which looks for clusters in this directory; words are split at spaces.
pub fn cli_command(folder: &Path, words: &str) -> Command {
    let mut command = Command::new(clustermon());
    command.args(words.split(' ').filter(|word| !word.is_empty()));
    command.env("RUNTIME_DIRECTORY", folder).env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn cli(folder: &Path, words: &str) -> Said {
    let output = cli_command(folder, words).output().expect("it starts");
    Said {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Said {
    /// For a command that must fail: one line on stderr, nothing on stdout. Returns the line.
    #[track_caller]
    pub fn refusal(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.err.lines().count() == 1 && self.out.is_empty(), "{self:?}");
        self.err.trim_end()
    }

    /// For a command that must succeed without a complaint. Returns what it printed.
    #[track_caller]
    pub fn good(self) -> String {
        assert!(self.code == Some(0) && self.err.is_empty(), "{self:?}");
        self.out
    }
}

impl Cluster {
    /// Where its control socket is, unless it was told otherwise.
    pub fn runtime_dir(&self) -> PathBuf {
        self.temp().path().join("run")
    }

    /// Runs `clustermon WORDS` where this cluster is found.
    pub fn cli(&self, words: &str) -> Said {
        cli(&self.runtime_dir(), words)
    }

    /// The same for a command that must succeed.
    #[track_caller]
    pub fn order(&self, words: &str) -> String {
        self.cli(words).good()
    }

    /// The answer of `clustermon inspect`.
    #[track_caller]
    pub fn inspect(&self) -> serde_json::Value {
        serde_json::from_str(&self.order("inspect")).expect("inspect prints JSON")
    }

    /// A worker in the answer of `clustermon inspect`.
    #[track_caller]
    pub fn inspect_worker(&self, id: &str) -> serde_json::Value {
        serde_json::from_str(&self.order(&format!("inspect /{id}"))).expect("inspect prints JSON")
    }
}

/// A client of the control socket that says what it likes.
#[derive(Debug)]
pub struct RawControl(BufReader<UnixStream>);

impl RawControl {
    #[track_caller]
    pub fn open(path: &Path) -> Self {
        let link = UnixStream::connect(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        link.set_read_timeout(Some(PATIENCE)).expect("that is no zero");
        Self(BufReader::new(link))
    }

    #[track_caller]
    pub fn say(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("the supervisor takes it");
    }

    /// The next line, without its end; empty if the connection has ended.
    #[track_caller]
    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("the supervisor answers");
        line.trim_end().to_owned()
    }
}

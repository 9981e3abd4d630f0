//! What every case needs: which build is measured, for how long, and servers of it. It measures nothing.

use super::program::Program;
use super::server::{Kind, Server};
use crate::Result;
use crate::project::{self, target};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What every case needs.
#[derive(Debug)]
pub(in crate::bench) struct Bench {
    clustermon: PathBuf,
    /// Another build of it, to compare with.
    older: Option<PathBuf>,
    /// Built servers and the logs of what was started.
    pub(super) folder: PathBuf,
    /// The test programs; those of the bench are in `bench`.
    pub(super) sources: PathBuf,
    pub seconds: Duration,
    pub runs: usize,
}

impl Bench {
    pub(in crate::bench) fn new(clustermon: PathBuf, seconds: Duration, runs: usize) -> Result<Self> {
        let folder = target()?.join("bench");
        std::fs::create_dir_all(&folder)?;
        let sources = project::root().join("tests/apps");
        Ok(Self { clustermon, older: None, folder, sources, seconds, runs })
    }

    /// The same with another build of the supervisor to compare with; its library lies beside it.
    pub(in crate::bench) fn against(mut self, older: Option<PathBuf>) -> Self {
        self.older = older;
        self
    }

    /// Starts it under the supervisor and waits until every worker answers.
    pub(in crate::bench) fn cluster(
        &self,
        workers: usize,
        options: &[&str],
        program: &Program,
    ) -> Result<Server> {
        self.cluster_by(&self.clustermon, workers, options, program)
    }

    /// The same by the other build; `None` if none was named.
    pub(in crate::bench) fn older_cluster(
        &self,
        workers: usize,
        program: &Program,
    ) -> Result<Option<Server>> {
        self.older.as_deref().map(|older| self.cluster_by(older, workers, &[], program)).transpose()
    }

    fn cluster_by(
        &self,
        clustermon: &Path,
        workers: usize,
        options: &[&str],
        program: &Program,
    ) -> Result<Server> {
        let mut command = Command::new(clustermon);
        command.args(["run", "-n", &workers.to_string()]).args(options).arg("--").args(&program.words);
        Server::start(&self.folder, command, Kind::Supervised, workers)
    }

    /// A place for a control socket.
    pub(in crate::bench) fn control(&self, name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("clustermon-bench-{}-{name}.sock", std::process::id()))
    }

    /// Tells the cluster with that control socket something; how long it took.
    pub(in crate::bench) fn order(&self, control: &Path, words: &[&str]) -> Result<Duration> {
        let begun = Instant::now();
        self.ask(control, words)?;
        Ok(begun.elapsed())
    }

    /// The same; what it answers.
    pub(in crate::bench) fn ask(&self, control: &Path, words: &[&str]) -> Result<String> {
        let output = Command::new(&self.clustermon).args(words).arg("--control").arg(control).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(format!("{words:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into())
    }

    /// Starts it by itself and waits for an answer. With `forks` it is asked to serve by so many processes.
    pub(in crate::bench) fn alone(&self, forks: usize, program: &Program) -> Result<Server> {
        let mut command = Command::new(&program.words[0]);
        command.args(&program.words[1..]).env("FORK", forks.to_string());
        // Which of several processes that share a socket answers is up to the kernel: one is enough.
        Server::start(&self.folder, command, Kind::Alone, 1)
    }
}

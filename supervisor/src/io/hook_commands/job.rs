//! One run of a hook: what it is given, and what came of it. Plain data.

use crate::config::CommandLine;
use crate::io::launch::spawn::hook::HookTemplate;
use std::time::Duration;

/// What is to be run.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// Distinguishes runs.
    pub(crate) number: u64,
    /// The event or the gate it is run for.
    pub(crate) hook: &'static str,
    pub(crate) command: CommandLine,
    pub(crate) template: HookTemplate,
    /// The name of the cluster.
    pub(crate) cluster: String,
    /// What it reads from stdin.
    pub(crate) input: String,
    /// How long it may run.
    pub(crate) limit: Duration,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) number: u64,
    pub(crate) hook: &'static str,
    pub(crate) command: CommandLine,
    /// What went wrong, in a few words that follow the command: `exited with code 1`.
    pub(crate) fault: Option<String>,
    /// What it wrote last.
    pub(crate) last_lines: Vec<String>,
    pub(crate) took: Duration,
}

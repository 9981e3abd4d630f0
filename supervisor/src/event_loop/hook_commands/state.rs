//! What the shell holds of hooks: who runs them, what waits for an answer, and what has come of them.

use crate::api;
use crate::error::Error;
use crate::io::hook_commands::runner::HookRunner;
use crate::io::output::throttle::Throttle;
use crate::pool::Gate;
use std::time::Instant;

/// Hooks of one cluster.
#[derive(Debug)]
pub(in crate::event_loop) struct HookCommands {
    pub(super) runner: HookRunner,
    pub(super) last_number: u64,
    /// The command that has to allow something, and runs.
    pub(super) asked: Option<Asked>,
    /// The cluster has begun: only what has begun ends.
    pub(super) has_begun: bool,
    pub(super) stopping_since: Option<Instant>,
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) dropped: u64,
    pub(super) last_failure: Option<api::HookFailure>,
    pub(super) drops: Throttle,
    /// Why the cluster has not begun.
    pub(super) denied: Option<Error>,
    /// What the command that did not allow a reload wrote last.
    pub(super) last_lines: Vec<String>,
}

/// A command that has to allow something.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) gate: Gate,
    pub(super) hook: &'static str,
    pub(super) command: String,
    /// Of the run.
    pub(super) number: u64,
    pub(super) since: Instant,
}

impl HookCommands {
    pub(in crate::event_loop) fn new(runner: HookRunner) -> Self {
        Self {
            runner,
            last_number: 0,
            asked: None,
            has_begun: false,
            stopping_since: None,
            done: 0,
            failed: 0,
            dropped: 0,
            last_failure: None,
            drops: Throttle::default(),
            denied: None,
            last_lines: Vec::new(),
        }
    }

    /// Why the cluster has not begun, if somebody did not allow it.
    pub(in crate::event_loop) fn take_denial(&mut self) -> Option<Error> {
        self.denied.take()
    }

    /// What the command that did not allow a reload wrote last.
    pub(in crate::event_loop) fn take_last_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.last_lines)
    }

    /// What is held up now, for people.
    pub(in crate::event_loop) fn holds_up(&self) -> Option<String> {
        self.asked.as_ref().map(|asked| format!("{} runs: {}", asked.hook, asked.command))
    }

    /// Hands over the children of this process that are no hooks.
    pub(in crate::event_loop) fn other_children(&self, see: impl FnOnce(Vec<u32>)) {
        self.runner.other_children(see);
    }
}

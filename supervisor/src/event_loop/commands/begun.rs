//! What a command has begun: what is so once it is done, and the words for both. It carries nothing out.

use super::waits::Goal;
use crate::api::Target;

/// Something that takes time is under way.
#[derive(Debug)]
pub(super) struct Begun {
    pub(in crate::event_loop) goal: Goal,
    /// For who does not wait.
    pub(in crate::event_loop) begun: String,
    /// For who does.
    pub(in crate::event_loop) done: String,
}

impl Begun {
    /// `verb` is what is being done, `done` what was, of the workers that are meant.
    pub(super) fn with_workers(goal: Goal, target: &Target, count: usize, verb: &str, done: &str) -> Self {
        let whom = match target {
            Target::Worker(id) => format!("worker {id}"),
            Target::Cluster => workers(count),
        };
        Self { goal, begun: format!("{verb} {whom}"), done: format!("{whom} {done}") }
    }

    pub(in crate::event_loop) fn new(goal: Goal, begun: impl Into<String>, done: impl Into<String>) -> Self {
        Self { goal, begun: begun.into(), done: done.into() }
    }
}

/// So many workers, for a sentence.
pub(in crate::event_loop) fn workers(count: usize) -> String {
    match count {
        1 => "1 worker".to_owned(),
        _ => format!("{count} workers"),
    }
}

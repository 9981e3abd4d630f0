//! What a process has said of itself: that it is about to end, or takes longer to start. No word of it is taken for more than its own.

use super::Deadline;

/// What a process has announced.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SelfReport {
    /// It is about to end.
    pub(super) stopping: bool,
    /// It will be ready by then.
    pub(super) extended: Option<Deadline>,
}

impl SelfReport {
    /// When it must be ready: at `limit`, or later if it has said so.
    pub(super) fn start_by(&self, limit: Deadline) -> Deadline {
        self.extended.map_or(limit, |extended| limit.max(extended))
    }
}

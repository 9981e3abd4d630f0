//! Words for people: what the log, events, `status` and `inspect` say of what happens, and why. It decides nothing, and changes nothing
//! but what it remembers of causes.

pub(super) mod announce;
pub(super) mod causes;
mod endings;
pub(super) mod last_word;
mod log_lines;
pub(super) mod rollouts;
pub(super) mod snapshot;
mod span;
pub(super) mod state;

pub(super) use span::Span;

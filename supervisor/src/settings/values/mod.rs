//! What an option can be, as people write it: durations, signals, commands, and choices with a text for each. Which option takes them is nothing to
//! them, and so is any group.

pub(crate) mod command_line;
pub(super) mod dispatch;
pub(crate) mod duration;
pub(super) mod hook_event;
pub(super) mod intercept;
pub(super) mod orphans;
pub(super) mod policy;
pub(crate) mod signal;

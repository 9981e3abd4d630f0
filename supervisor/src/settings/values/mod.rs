//! What an option can be, as people write it: durations, sizes, signals, schedules, commands, and choices with a text for each. They know no option
//! and no group.

pub(crate) mod command_line;
pub(super) mod dispatch;
pub(crate) mod duration;
pub(super) mod hook_event;
pub(super) mod intercept;
pub(super) mod limits;
pub(super) mod orphans;
pub(super) mod policy;
pub(super) mod schedule;
pub(crate) mod signal;
pub(crate) mod size;

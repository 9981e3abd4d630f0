//! What has been started: a command with all its processes and what it writes, killed to the last at the end.

pub(crate) mod command;
mod dispositions;
pub(crate) mod log;
pub(crate) mod native;

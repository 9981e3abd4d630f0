//! Commands that show what is and what was: they change nothing.

pub(super) mod describe;
pub(super) mod events;
pub(super) mod inspect;
mod json;
mod launch;
pub(super) mod list;
pub(super) mod logs;
mod schedules;
mod seen;
pub(super) mod status;
mod trouble;

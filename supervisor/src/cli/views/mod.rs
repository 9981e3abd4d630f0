//! Commands that show what is and what was: they change nothing.

pub(super) mod events;
pub(super) mod inspect;
pub(super) mod list;
pub(super) mod logs;
pub(super) mod status;

//! The rules on single files: how they begin, how long they are, and what may stand in them.

pub(super) mod opening;
pub(super) mod safety;
pub(super) mod size;
pub(super) mod unfinished;
pub(super) mod words;

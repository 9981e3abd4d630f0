//! The file of `--log`: which it is, how lines are written to it, when another takes its place and what becomes of older ones. It decides
//! nothing of what is written.

pub(crate) mod condition;
mod folder;
mod leading;
pub(crate) mod older;
pub(crate) mod place;
pub(crate) mod rotation;
pub(super) mod target;

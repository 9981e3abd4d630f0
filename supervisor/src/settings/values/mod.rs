//! What an option can be, as people write it: durations, sizes, signals, and choices with a text for each. Which option takes them is nothing to
//! them, and so is any group.

pub(super) mod affinity;
pub(super) mod capability;
pub(super) mod dispatch;
pub(crate) mod duration;
pub(super) mod intercept;
pub(super) mod orphans;
pub(super) mod policy;
pub(super) mod quota;
pub(super) mod resource;
pub(crate) mod signal;
pub(crate) mod size;

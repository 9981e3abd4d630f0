//! What is known of one process: its boot, its word, its lag, its memory, its connections and its age, and when each is too much. It names
//! no other process, and nothing follows from it here.

pub(super) mod boot;
pub(super) mod footprint;
pub(super) mod load;
pub(super) mod recycle;
pub(super) mod suspicion;
pub(super) mod trust;

//! What this machine and its control groups allow, and what time it is. It sets nothing.

pub(in crate::io) mod cgroup;
pub(crate) mod container;
pub(crate) mod cpus;
pub(crate) mod disk;
pub(crate) mod heap;
pub(crate) mod memory_share;
pub(crate) mod oom;
pub(crate) mod time_zone;
pub(crate) mod wall_clock;

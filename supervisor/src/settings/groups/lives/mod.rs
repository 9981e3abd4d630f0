//! The groups of options on the lives of processes: when they are ready, how they end, and what takes their place.

pub(in crate::settings) mod readiness;
pub(in crate::settings) mod recycle;
pub(in crate::settings) mod restart;
pub(in crate::settings) mod rollout;
pub(in crate::settings) mod schedules;
pub(in crate::settings) mod stop;

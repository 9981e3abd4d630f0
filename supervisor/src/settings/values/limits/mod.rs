//! What a process may have and do, as people write it.

pub(in crate::settings) mod affinity;
pub(in crate::settings) mod capability;
pub(in crate::settings) mod quota;
pub(in crate::settings) mod resource;

//! What the kernel is asked for without the C library: types, system calls, memory, and what it tells of this process's descriptors.
//! Nothing here knows of clusters.

pub(crate) mod abi;
pub(crate) mod descriptors;
pub(crate) mod memory;
pub(crate) mod registrations;
pub(crate) mod sys;

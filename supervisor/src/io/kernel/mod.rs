//! What other rooms need of the kernel itself: descriptors and what closes them, messages with descriptors, shared memory,
//! the disposition of signals. It knows nothing of workers, lanes or the cluster.

pub(crate) mod descriptors;
pub(crate) mod dispositions;
pub(crate) mod foreign;
pub(super) mod memory;
pub(super) mod message;
pub(crate) mod random;

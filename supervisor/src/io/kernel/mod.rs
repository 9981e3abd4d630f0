//! What other rooms need of the kernel itself: descriptors and what closes them, messages with descriptors, shared memory,
//! options of sockets, signals and scheduling. It knows nothing of workers, lanes or the cluster.

pub(super) mod bpf;
pub(crate) mod descriptors;
pub(crate) mod dispositions;
pub(crate) mod foreign;
pub(crate) mod memory;
pub(crate) mod message;
pub(super) mod packet_filter;
pub(crate) mod pidfd;
pub(crate) mod random;
pub(super) mod scheduling;
mod scm;
pub(crate) mod sockopt;

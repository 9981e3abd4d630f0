//! How connections reach workers: by credit, by policy and in turn, and by the kernel's choice.

/// Threads that wait in accept().
mod accepters;
/// Workers accept by themselves, in every shape of server.
mod by_credit;
/// Many connections and many descriptors.
mod capacity;
/// Limits and levels where workers accept by themselves.
mod counted;
/// Accepting by credits, record by record.
mod credits;
/// Bytes sent before the accept.
mod early_bytes;
/// The kernel chooses.
pub(crate) mod kernel;
/// Listeners by MPTCP.
mod mptcp;
/// Open credits that stay open over one vain accept, and singles that are taken and not used.
mod patience;
/// Whom each policy picks, how many a worker may have, and nobody there.
mod policies;
/// Whose turn it is.
mod rotation;
/// Connections taken back from under a blocking accept().
mod take_back;

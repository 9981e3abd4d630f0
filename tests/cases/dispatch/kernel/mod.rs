//! The kernel chooses among sockets of the workers' own: connections, and flows of UDP.

/// What programs do with those sockets, and addresses that are no use.
mod datagram_sockets;
/// UDP sockets that workers share.
mod datagrams;
/// What tests of kernel dispatch have in common.
pub(crate) mod levels;
/// The kernel chooses among the workers' own sockets.
mod steering;
/// What tests of UDP have in common.
mod udp;

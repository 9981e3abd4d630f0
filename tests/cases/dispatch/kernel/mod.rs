//! The kernel chooses among sockets of the workers' own: connections, and flows of UDP.

/// Which UDP sockets are shared, and addresses that cannot be had.
mod datagram_addresses;
/// UDP sockets that workers share.
mod datagrams;
/// What tests of kernel dispatch have in common.
pub(crate) mod levels;
/// The kernel chooses among the workers' own sockets.
mod steering;
/// What tests of UDP have in common.
mod udp;

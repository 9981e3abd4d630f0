//! Listening sockets and what the kernel tells of connections: accepting, closing, and who else listens. It never reads from a
//! connection.

pub(crate) mod activation;
pub(crate) mod close_events;
pub(crate) mod listener;
pub(crate) mod options;
pub(crate) mod pending;
pub(crate) mod port_owner;
pub(crate) mod reach;
pub(crate) mod sock_diag;
pub(crate) mod syn_filter;
pub(crate) mod unaccepted;
pub(crate) mod unmanaged_listener;

//! The addresses that programs listen on: which are shared, and what becomes of listeners that are closed, late, lost or somebody else's.

/// Unix paths and names, IPv6, both families, port 0.
mod addresses;
/// Listeners that a program has closed while nobody came.
mod closed_listeners;
/// Programs that test by connect() whether their address is free.
mod connect_before_listen;
/// Addresses that a program opens long after its first.
mod late_addresses;
/// Ports that a program opens for one client while it serves.
mod later_ports;
/// Workers that close their listener and live on.
mod listener_close;
/// Workers that listen each in their own way.
mod listens_differ;
/// Sockets bound in name only.
mod owned;
/// Shared and private addresses.
mod private;
/// A listening socket that fails.
mod reopen;
/// Ports held by somebody else.
mod strangers;

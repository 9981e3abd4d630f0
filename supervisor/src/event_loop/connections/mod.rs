//! How connections come to workers: sockets that listen and lanes to who accepts, which connections wait, and who is given them or the
//! right to accept. It carries out and tells; whose turn it is, is the core's to say.

mod accepters;
pub(super) mod accepting;
mod adopting;
pub(super) mod closing;
mod counting;
mod crediting;
pub(super) mod early_connects;
pub(super) mod giving;
pub(super) mod idle_lanes;
mod lanes;
mod listening;
mod long;

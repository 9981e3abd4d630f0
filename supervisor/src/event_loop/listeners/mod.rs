//! Listening sockets that workers share: from a worker's `listen` to the end of the address, and who connects before its time. Whether a worker
//! is to be served is the core's to say; nothing is accepted here.

pub(super) mod activated;
mod balancers;
pub(super) mod closing;
pub(super) mod early_connects;
mod listening;
pub(super) mod state;
mod strangers;

//! Clients that account for every request that they make, and the accounts. They do not know what is done to the cluster.

pub(super) mod client;
pub(super) mod mix;
pub(super) mod tally;
mod wire;

//! Commands that change a cluster that runs: each becomes a request to its supervisor.

pub(super) mod order;
pub(super) mod reopen;

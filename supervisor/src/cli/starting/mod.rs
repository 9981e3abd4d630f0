//! `clustermon run`: from the command line to a cluster, here or in the background.

pub(super) mod comparing;
pub(super) mod detach;
pub(super) mod log_args;
pub(super) mod run;
pub(super) mod swallowed;
mod words;

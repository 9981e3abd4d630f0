//! Clusters seen from outside: `clustermon run`, and the commands to it.

pub(crate) mod cli;
pub(crate) mod cluster;
pub(crate) mod deployment;
mod rotation;

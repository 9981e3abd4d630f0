//! What is changed while the cluster runs: other processes in the place of those that run, the way out of one, and the end of all. The
//! core says who and when.

mod changed_files;
mod cluster_stop;
pub(super) mod draining;
mod moving;
pub(super) mod reload;
mod schedules;

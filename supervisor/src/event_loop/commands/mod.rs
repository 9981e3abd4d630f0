//! What the cluster is told while it runs: by other threads, over the control socket, by signals. Each command becomes inputs of the core; who
//! wants to wait for the outcome does so in `waits`.

mod acting;
mod asking;
mod begun;
pub(super) mod configuring;
mod log_file;
mod logs;
mod signals;
pub(super) mod waits;

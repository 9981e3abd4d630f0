//! How workers do: slow, hanging, idle, stopped or too large, and what is done about it.

/// Clusters of one worker, and workers that get little of a processor.
mod alone;
/// Memory over the limit.
mod footprints;
/// Workers that hang: evidence, replacement, kill.
pub(crate) mod hangs;
/// Workers that wait in a blocking accept are idle, whatever they waited for before.
mod idle;
/// Requests that take long.
mod long_requests;
/// A loop without end is found where traffic is light.
mod missed;
/// Whom a SIGKILL is put down to.
pub(crate) mod oom;
/// Garbage where a worker's health should be.
mod pages;
/// How often a worker's health is looked at.
mod pulse;
/// Slow workers: out of rotation and back.
pub(crate) mod slow;
/// Workers that are stopped by somebody, or by the terminal.
mod suspended;

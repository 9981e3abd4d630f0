//! Programs as they are, alone and as workers: what people run, those that fork, and those that never listen.

/// Every test program as a worker.
mod as_workers;
/// Programs that never listen.
mod jobs;
/// What people run, each as a worker.
mod matrix;
/// The test programs themselves, without clustermon.
mod native;
/// Programs that fork after they listen.
mod prefork;
/// What tests start does not depend on what started the tests.
mod started_alike;
/// Children that accept in turns, by a lock, or one connection each.
mod taking_turns;
/// Servers that outlive the process that started them.
mod wrappers;

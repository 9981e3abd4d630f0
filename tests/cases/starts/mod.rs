//! How clusters start: what is refused, what workers are given, and when they are ready.

/// Sockets that a service manager has opened.
mod activation;
/// One line, exit code 2, nothing started.
mod bad_input;
/// The examples for containers, as process 1 with nothing to write to and no rights.
mod containers;
/// Clusters in the background.
mod detach;
/// Files of variables.
mod env_file;
/// A limit that is too low, and what is said of it.
mod few_descriptors;
/// Ignored and blocked signals, as the supervisor was started with them.
mod inherited_signals;
/// A supervisor with few descriptors.
mod limits;
/// Options of ours that stand after the command.
mod misplaced;
/// Odd folders, a lone binary, other users.
mod places;
/// When a worker is ready, and what it says of itself.
mod ready;
/// The supervisor under a service manager, a terminal, as process 1, and as a worker.
mod service;
/// What a worker is given at its start.
mod worker_env;

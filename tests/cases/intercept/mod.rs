//! Programs that the preloaded library cannot enter, and those that it cannot serve: the seccomp filter, at each level.

/// Programs that cannot take connections, or accept past the library.
mod bypasses;
/// Programs whose listeners come by a seccomp filter.
pub(crate) mod filtered;
/// Those that listen more than once.
mod filtered_again;
/// The kernel chooses among them, in each way in which it can.
mod filtered_levels;
/// On which terms they are workers.
mod filtered_terms;
/// Processes of a worker that listen without the preloaded library.
mod uncovered;
/// Programs that accept without the C library.
mod uring;

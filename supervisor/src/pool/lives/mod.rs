//! The parts of the pool that start processes and say what follows from each event of their lives. They start and signal nothing: they order
//! it.

pub(super) mod early_connects;
pub(super) mod follow;
mod lifecycle;
mod readiness;
mod retiring;
mod successor;
mod timers;

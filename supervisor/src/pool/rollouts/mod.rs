//! The parts of the pool that replace processes without a gap: step by step, until the last or to the end of a rollout that fails. What
//! becomes of a process in it is in `lives`.

mod completeness;
mod endings;
mod recycling;
mod rolling;

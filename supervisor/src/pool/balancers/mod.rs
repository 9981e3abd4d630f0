//! One shared address each: its rotation, its policy, what is held for it and given out, and what is known of its queue. It owns no lane and
//! decides nothing about workers.

pub(super) mod admission;
pub(super) mod balancer;
pub(super) mod covered;
mod dispatching;
mod policy;
pub(super) mod queue;
pub(super) mod steady;

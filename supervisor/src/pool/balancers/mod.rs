//! One shared address each: its rotation, its policy, what is held for it, and what is known of its queue. It reads lanes and processes, and
//! changes the state of neither process nor cluster.

pub(super) mod admission;
pub(super) mod balancer;
pub(super) mod covered;
mod dispatching;
mod policy;
pub(super) mod queue;
pub(super) mod steady;

//! Processes of workers from their start to their end, and what these leave behind: what each is, and what it says of itself. Restarts are the core's to order.

pub(super) mod launching;
pub(super) mod life;
pub(super) mod living;
mod notices;
mod orphaned_lanes;
mod processes;
mod readiness;
pub(super) mod remains;
mod starting;
mod survivors;
mod suspended;

//! Processes of workers from their start to their end, and what these leave behind: what each is, what it says of itself, and whose word
//! counts as its own. Restarts are the core's to order.

mod bereaved;
mod booting;
pub(super) mod life;
mod memory;
mod notices;
mod offenders;
mod processes;
mod readiness;
pub(super) mod remains;
mod survivors;
mod suspended;
mod trust;

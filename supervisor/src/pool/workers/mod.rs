//! Slots, the processes that have them, the table of their states, and the rollout that replaces them. It knows of lanes only whether a
//! process may have them in rotation, and orders nothing.

mod backoff;
pub(super) mod event;
pub(super) mod process;
pub(super) mod processes;
pub(super) mod rollout;
pub(super) mod slot;
mod stop_rules;
pub(super) mod transition;
pub(super) mod worker;

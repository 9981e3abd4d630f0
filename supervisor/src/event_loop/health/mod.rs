//! How workers that live are doing: whether they look for work, and what keeps those from it that do not. It finds facts; what follows
//! from them is the core's to say.

mod booting;
pub(super) mod bypass;
pub(super) mod examine;
mod finding;
pub(super) mod holders;
mod memory;
pub(super) mod monitor;
pub(super) mod state;
pub(super) mod uncovered;

//! Clients: what load there is to be, what makes it, and what is asked beside it. What the figures mean is said elsewhere.

pub(super) mod client;
pub(super) mod crowd;
pub(super) mod engine;
pub(super) mod probe;

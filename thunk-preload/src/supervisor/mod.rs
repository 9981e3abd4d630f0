//! The supervisor as a worker knows it: what it said through the environment, who it is, and how it is asked.

pub(crate) mod link;
pub(crate) mod peer;
pub(crate) mod settings;

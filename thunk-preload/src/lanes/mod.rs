//! Lanes, as descriptors: which ones are, whose they are, and how one comes to stand where a listening socket stood.

pub(crate) mod lane;
pub(crate) mod settled;
pub(crate) mod swap;

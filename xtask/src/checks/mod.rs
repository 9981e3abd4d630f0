//! What is checked of the project by itself, each by a command of its own, and all that CI does.

pub(crate) mod api;
pub(crate) mod ci;
pub(crate) mod fuzz;
pub(crate) mod loom;
pub(crate) mod no_loss;
pub(crate) mod simulate;
pub(crate) mod test;
pub(crate) mod torture;

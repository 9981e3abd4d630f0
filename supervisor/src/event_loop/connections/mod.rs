//! The connection path where the supervisor accepts: connections are taken out of the kernel's queue, given to lanes, and counted where
//! their number matters. Who is given one is the core's to say.

pub(super) mod accepting;
mod counting;
pub(super) mod giving;
pub(super) mod state;

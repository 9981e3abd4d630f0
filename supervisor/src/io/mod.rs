//! The operating system: reports facts and carries out orders. Decides nothing and never imports the pool.

pub(crate) mod control;
pub(crate) mod drain;
pub(crate) mod events;
pub(crate) mod kernel;
pub(crate) mod lanes;
pub(crate) mod launch;
pub(crate) mod machine;
pub(crate) mod output;
pub(crate) mod process;
pub(crate) mod ready;
#[cfg(test)]
pub(crate) mod scratch;
pub(crate) mod sockets;

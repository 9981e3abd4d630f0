//! The operating system: reports facts and carries out orders. Decides nothing and never imports the pool.

pub(crate) mod cpus;
mod elf;
pub(crate) mod log;
pub(crate) mod program;
#[cfg(test)]
pub(crate) mod scratch;
pub(crate) mod thunk_file;

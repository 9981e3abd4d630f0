//! The operating system: reports facts and carries out orders. Decides nothing and never imports the pool.

mod cgroup;
pub(crate) mod child;
pub(crate) mod conns;
pub(crate) mod control;
pub(crate) mod cpus;
pub(crate) mod descriptors;
pub(crate) mod diag;
pub(crate) mod door;
mod elf;
pub(crate) mod epoch;
pub(crate) mod family;
pub(crate) mod holder;
pub(crate) mod intercept;
pub(crate) mod lane;
pub(crate) mod listener;
pub(crate) mod log;
mod memory;
pub(crate) mod memory_share;
mod message;
#[allow(dead_code, reason = "the event loop does not move by it yet")]
pub(crate) mod moving;
pub(crate) mod newline;
pub(crate) mod notified;
pub(crate) mod notify;
pub(crate) mod open;
pub(crate) mod options;
pub(crate) mod probe;
pub(crate) mod proc;
pub(crate) mod program;
pub(crate) mod pulse;
pub(crate) mod quiet;
pub(crate) mod random;
pub(crate) mod ready;
pub(crate) mod recipe;
pub(crate) mod release;
pub(crate) mod runtime_dir;
pub(crate) mod scout;
#[cfg(test)]
pub(crate) mod scratch;
pub(crate) mod signals;
mod sink;
pub(crate) mod source;
pub(crate) mod spawn;
pub(crate) mod stdio;
pub(crate) mod throttle;
pub(crate) mod thunk_file;

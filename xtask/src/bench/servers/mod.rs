//! The programs under measurement, alone and in a cluster.

mod bench;
mod program;
mod programs;
mod server;

pub(super) use self::bench::Bench;
pub(super) use self::program::Program;
pub(super) use self::programs::has;
pub(super) use self::server::{Server, kill};

//! What the fuzz targets do with bytes, one plain function each, so that they are built and run with everything else. The fuzzer
//! itself is `libfuzzer/`, a workspace of its own, of which nothing is needed here.

// What is compiled in has tests of its own, which need more than that and are run where they belong.
#![cfg(not(test))]

// Compiled in, because what the supervisor's crate shows of them is not all that the decoders use.
#[path = "../../supervisor/src/api/mod.rs"]
#[allow(dead_code, unused_imports, unreachable_pub, reason = "one target uses only a part of it")]
mod api;
mod bytes;
mod control;
mod io;
mod page;
mod simulation;
mod wire;

pub use control::control;
pub use simulation::simulation;
pub use wire::wire;

/// A target: something that takes any bytes and panics if what they lead to is wrong.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const TARGETS: [(&str, Target); 3] = [("wire", wire), ("control", control), ("simulation", simulation)];

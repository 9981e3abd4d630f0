//! The one test binary: a module per behaviour. Every test starts the built programs and sees them from outside.
#![allow(clippy::disallowed_methods, reason = "a test reads the clock for its deadlines and starts programs")]

/// The test programs themselves, without clustermon.
mod native;

//! The decoders of the control socket, compiled in under the paths that they have in the supervisor.

pub(crate) mod control;
#[path = "../../supervisor/src/io/plain.rs"]
#[allow(dead_code, reason = "one target uses only a part of it")]
mod plain;

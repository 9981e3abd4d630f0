//! The lines of the control socket, as the supervisor has them.

#[path = "../../../supervisor/src/io/control/wire.rs"]
#[allow(dead_code, reason = "one target uses only a part of it")]
pub(crate) mod wire;

//! How text is made plain, as the supervisor does it.

#[path = "../../../supervisor/src/io/output/plain.rs"]
#[allow(dead_code, reason = "one target uses only a part of it")]
pub(crate) mod plain;

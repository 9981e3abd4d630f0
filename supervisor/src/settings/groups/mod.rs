//! The groups of options, one file each: a struct whose fields are the options, with their defaults, and the check of these. No group knows
//! another.

pub(super) mod balancing;
pub(super) mod development;
pub(super) mod health;
pub(super) mod hook_commands;
pub(super) mod listeners;
pub(super) mod lives;
pub(super) mod output;
pub(super) mod privileges;
pub(super) mod program;

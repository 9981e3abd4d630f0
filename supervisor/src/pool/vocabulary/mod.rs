//! The words that all rooms and the shell share: what the pool is told, what it orders and notes, and the states in both. Plain data: it
//! decides nothing and names no other room.

pub(super) mod deadlines;
pub(super) mod exit;
pub(super) mod gate;
pub(super) mod input;
pub(super) mod note;
pub(super) mod output;
pub(super) mod phase;
pub(super) mod replacement;
pub(super) mod settings;
pub(super) mod socket;
pub(super) mod state;

//! The rules on what may name and use what.

pub(super) mod circles;
pub(super) mod direction;
pub(super) mod manifest;
pub(super) mod purity;
pub(super) mod rooms;

//! Figures and how they are shown. Nothing here makes load.

pub(super) mod processor;
pub(super) mod stats;
pub(super) mod table;

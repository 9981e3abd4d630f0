//! What wakes the loop: what an event is about, signals as events, and reports that are turned off and on. It handles no event.

pub(crate) mod hush;
pub(crate) mod interrupt;
pub(crate) mod signals;
pub(crate) mod source;

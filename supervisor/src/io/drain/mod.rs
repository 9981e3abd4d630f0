//! What becomes of the connections of a worker that is to end: waiting until nothing is in flight, or taking them over. It
//! never reads a byte of one.

pub(crate) mod handover;
pub(crate) mod idle_detector;

//! What the tests ask of the machine itself: processes, ports, folders, time. It starts nothing.

pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod temp;
pub(crate) mod wait;

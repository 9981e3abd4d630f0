//! Processes of workers in a history: how they start, wait, accept by the library's half of the protocol, and end, well or not.

mod booting;
mod ending;
mod lane;
mod library;
pub(super) mod process;
mod temper;
mod waiting;

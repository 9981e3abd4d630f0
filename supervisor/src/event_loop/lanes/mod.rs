//! Lanes from their beginning to their end: who gets one, what is heard on it, whether somebody still has it, and what becomes of what lies
//! in it. What a lane is given is not decided here.

mod adopting;
mod ending;
mod hearing;
pub(super) mod idle;
mod long_requests;
mod opening;
pub(super) mod state;

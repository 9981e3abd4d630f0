//! Tests of addresses and lanes that come and go, and of whom a connection is given.

mod failures;
mod limits;
mod listening;
mod policies;
mod refusals;
mod rotation;
mod sharing;
mod steering;
mod windows;

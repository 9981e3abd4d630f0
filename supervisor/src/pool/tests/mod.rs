//! Tests of the pool as a whole, by subject, on a virtual clock.

mod listening;

mod restarts;
mod rotation;
mod stopping;
mod suspects;
mod table;
mod windows;

//! Tests of the pool as a whole, by subject, on a virtual clock.

mod acts;
mod listening;

mod random;
mod restarts;
mod rotation;
mod stopping;
mod suspects;
mod table;
mod windows;

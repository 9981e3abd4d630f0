//! Tests of the pool as a whole, by subject, on a virtual clock.

mod acts;
mod closing;
mod commands;
mod cordons;
mod drains;
mod ends;
mod failures;
mod hangs;
mod lags;
mod limits;
mod listening;
mod policies;
mod random;
mod ready;
mod refusals;
mod restarts;
mod rollouts;
mod rotation;
mod scaling;
mod sharing;
mod stopping;
mod suspects;
mod table;
mod wears;
mod windows;
mod wishes;

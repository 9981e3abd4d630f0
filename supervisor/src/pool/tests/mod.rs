//! Tests of the pool as a whole, by subject, on a virtual clock. The rooms have the names of those that they test.

mod commands;
mod connections;
mod credits;
mod health;
mod lives;
mod random;
mod rollouts;
/// The core with clients, workers and time of its own.
pub(in crate::pool) mod sim;
mod workers;

//! The parts of the pool that let workers accept by themselves: one connection, until the queue is empty, or from a socket that somebody shuts
//! down. No connection passes through here.

mod admitting;
mod credit;
mod open_credit;
mod pacing;
mod queue_looks;
mod spreading;

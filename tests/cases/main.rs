//! The one test binary: a folder per subject, and in it a module per behaviour. Every test starts the built programs and sees them from outside.
#![allow(clippy::disallowed_methods, reason = "a test reads the clock for its deadlines and starts programs")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says why")]

mod apps;
mod changes;
mod control;
mod dispatch;
mod endings;
mod health;
mod hooks;
mod intercept;
mod listening;
mod output;
mod privileges;
mod programs;
mod security;
mod starts;
mod thunk;

//! The parts of the pool that judge who lags, who hangs, and how many may be out for it. They look at no process: they are told.

mod hangs;
mod lags;
mod suspects;

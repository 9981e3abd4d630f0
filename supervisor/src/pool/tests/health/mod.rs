//! Tests of who lags, who hangs, and what follows.

mod alone;
mod hangs;
mod hung;
mod lags;
mod missed;
mod suspects;

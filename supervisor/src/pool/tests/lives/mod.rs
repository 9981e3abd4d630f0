//! Tests of how processes start, are ready and end.

mod boots;
mod early_connects;
mod ends;
mod ready;
mod restarts;
mod survivors;

//! Tests of workers that accept by themselves.

mod admission;
mod counted;
mod credit;
mod open_credit;
mod steady;
mod storms;

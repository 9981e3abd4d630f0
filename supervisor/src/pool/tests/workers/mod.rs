//! Tests of the table of states, cell by cell.

mod stopping;
mod table;

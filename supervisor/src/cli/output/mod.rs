//! What is printed, and how: complaints with their exit codes, hints, tables, colours. It asks nobody.

pub(super) mod complaint;
pub(super) mod failed;
pub(super) mod hint;
pub(super) mod out;
pub(super) mod shell;
pub(super) mod table;

//! Tests by chance: histories and commands that nobody has thought of.

mod acts;
mod histories;
mod wishes;

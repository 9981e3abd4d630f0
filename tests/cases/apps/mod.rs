//! The file of several apps: what is read from it, and how they start and stop together.

/// What the file says, and what is wrong with it.
mod file;
/// `unit`.
mod unit;
/// `up` and `down`.
mod up;

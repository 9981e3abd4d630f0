//! The file of several apps: what is read from it, and how they start and stop together.

/// A second `up`, of a file that says something else by now.
mod changed;
/// What the file says, and what is wrong with it.
mod file;
/// A folder with such a file.
mod folder;
/// What else happens while a change is under way.
mod meanwhile;
/// `unit`.
mod unit;
/// `up` and `down`.
mod up;
/// Clusters of the same name that other files have started.
mod whose;

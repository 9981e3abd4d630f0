//! Files that are watched for changes, by the kernel's inotify and off the loop: which of them count, and when a burst of changes is over.
//! What follows from a change is not decided here.

mod burst;
mod fact;
pub(crate) mod file_watcher;
mod folders;
mod names;
pub(crate) mod place;
mod rules;
mod watching;

//! Commands of the user's that are run when something happens, each on a thread that waits for its end: the loop never does. Which are run
//! when is not decided here.

mod job;
mod lines;
mod process;
mod queue;
pub(crate) mod runner;
mod threads;

pub(crate) use job::{Finished, Job};

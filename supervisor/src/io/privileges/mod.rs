//! What a worker may do: as whom it runs, below which root, within which limits, and how the new process is brought to that between fork and
//! exec. It starts no process and knows no worker.

mod accounts;
mod affinity;
mod capabilities;
pub(crate) mod confinement;
pub(crate) mod entering;
pub(crate) mod error;
mod refusal;
pub(crate) mod step;
pub(crate) mod view;
mod worker_groups;

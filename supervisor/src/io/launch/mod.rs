//! What a worker is started from, starting it, and the processes that come of it. It restarts nothing.

mod elf;
pub(crate) mod env_file;
pub(crate) mod host_checks;
pub(crate) mod interception;
pub(crate) mod launch_spec;
pub(crate) mod process_calls;
pub(crate) mod program;
pub(crate) mod spawn;
pub(crate) mod thunk_file;
pub(crate) mod trial;
pub(crate) mod variables;
pub(crate) mod worker_processes;

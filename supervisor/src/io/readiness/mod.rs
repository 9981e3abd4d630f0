//! How it is known and told that somebody is ready: workers to the supervisor, the supervisor to the service manager. It
//! decides nothing of what follows from it.

pub(crate) mod probe;
pub(crate) mod s6_ready;
pub(crate) mod service_manager;
pub(crate) mod worker_notify;

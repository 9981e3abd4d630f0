//! The operating system: reports facts and carries out orders. Decides nothing and never imports the pool. The rooms stand in
//! their order: each may use those below it, and none above.

/// Commands of the user's that are run when something happens.
pub(crate) mod hook_commands;

/// What becomes of the connections of a worker that is to end: it is waited until nothing is in flight, or they are taken over.
pub(crate) mod drain;

/// What a worker is started from, its start, and the processes that come of it.
pub(crate) mod launch;

/// Interception in the kernel, for programs that the library cannot enter.
pub(crate) mod seccomp;

/// How somebody says that it is ready: a worker to the supervisor, and the supervisor to the service manager.
pub(crate) mod readiness;

/// The kernel chooses which of several UDP sockets at one address a flow of datagrams goes to.
pub(crate) mod datagrams;

/// The kernel chooses which of several listening sockets at one address a connection goes to.
pub(crate) mod steering;

/// Lanes, the pages that are shared with workers, and the socket at which these ask.
pub(crate) mod lanes;

/// Listening sockets: accepting from them, closing them, and what the kernel tells of them and their connections.
pub(crate) mod sockets;

/// The control socket and the directories in which it stands.
pub(crate) mod control;

/// What workers may do, and how a process is brought to that.
pub(crate) mod privileges;

/// What this machine and the control groups allow, and what time it is.
pub(crate) mod machine;

/// Files that are watched for changes.
pub(crate) mod watch;

/// What /proc tells of processes.
pub(crate) mod process;

/// Text on its way out: the log, and what workers write.
pub(crate) mod output;

/// What wakes the loop.
pub(crate) mod events;

/// What the others need of the kernel itself.
pub(crate) mod kernel;

/// A directory for tests.
#[cfg(test)]
pub(crate) mod scratch;

//! Names of the variables that the supervisor hands to its workers and the thunk reads. Nothing else is read.

/// Abstract name (without the leading NUL) of the request socket.
pub const SOCKET: &str = "CLUSTERMON_SOCKET";
/// Who listens on the request socket, so that nobody else who takes its name is spoken to: `PID:UID:PIDNS:USERNS`, the last
/// two being the inode numbers of the namespaces in which the first two were read.
pub const SUPERVISOR: &str = "CLUSTERMON_SUPERVISOR";
/// 32 hexadecimal digits that name one incarnation of one worker.
pub const TOKEN: &str = "CLUSTERMON_TOKEN";
/// Address rules, one a line: `+ADDRESS` is shared, `-ADDRESS` is private. See [`crate::rules`].
pub const RULES: &str = "CLUSTERMON_RULES";
/// The least backlog of a shared listener, in connections.
pub const BACKLOG: &str = "CLUSTERMON_BACKLOG";
/// What a worker does when it finds its supervisor gone: `stop` (SIGTERM to itself) or `keep`.
pub const ON_SUPERVISOR_DEATH: &str = "CLUSTERMON_ON_SUPERVISOR_DEATH";
/// The user's name for the worker, as in the original.
pub const LOGICAL_ID: &str = "PROCESS_LOGICAL_ID";
/// Set, and not `0`: the thunk tells on stderr what it decides.
pub const THUNK_LOG: &str = "CLUSTERMON_THUNK_LOG";
/// Where ld.so looks for libraries to preload.
pub const PRELOAD: &str = "LD_PRELOAD";

//! What can be wrong with the options, each as one line that names the option and says what to do.

use super::duration::Human;
use std::time::Duration;

/// A lane with the smallest socket buffer holds a handful, one with the default buffer 278.
pub const MAX_WINDOW: u32 = 256;
/// More workers than this on one machine is a mistake.
pub const MAX_WORKERS: u32 = 1024;

/// What a descriptor's number may be, for who gave another.
pub(super) const FD: &str = "a worker can be given the descriptors 3 to 1023";

/// An option is wrong, or contradicts another. The names are those of the flags; the methods of
/// [`Builder`](crate::config::Builder) have the same with `_` for `-`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no program to run.
    #[error("no command given: `clustermon run -- node server.js`")]
    NoCommand,
    /// An argument of the command holds a NUL byte, which no program can be given.
    #[error("argument {0} of the command holds a NUL byte")]
    NulInCommand(usize),
    /// There is no file that could be rotated.
    #[error("--log-max-size and --log-max-age rotate the file of --log: give that too")]
    RotationWithoutFile,
    /// Not a sensible number of workers.
    #[error("--workers {0}: give 1 to {MAX_WORKERS}, or auto")]
    Workers(u32),
    /// Two ways to say how many workers there are.
    #[error("--workers and --logical-ids both say how many workers there are: give one of them")]
    WorkersAndLogicalIds,
    /// A list of logical ids with none or too many in it.
    #[error("--logical-ids: {0} ids given, 1 to {MAX_WORKERS} are possible")]
    LogicalIdCount(usize),
    /// An id that no environment variable or log line should hold.
    #[error(
        "--logical-ids: {0:?} is no id: it must not be empty nor hold blanks, commas or control characters"
    )]
    LogicalId(String),
    /// Two workers with one id.
    #[error("--logical-ids: {0} is given twice, each worker needs its own")]
    DuplicateLogicalId(String),
    /// Fewer than none.
    #[error("--respawn {0}: give the number of restarts per worker, or -1 for no limit")]
    Respawn(i64),
    /// No connection could be given to any lane.
    #[error("--window {0}: give 1 to {MAX_WINDOW}, the connections that may wait at one worker")]
    Window(u32),
    /// Longer than the system can be told.
    #[error("--backlog {0}: give at most {max}, the connections that may wait in the listening queue", max = i32::MAX)]
    Backlog(u32),
    /// No worker could ever start.
    #[error("--max-starting 0: give at least 1, or no worker can start")]
    MaxStarting,
    /// A duration that nothing here should take.
    #[error("--{option}: this is longer than 365d")]
    TooLong {
        /// The option, without dashes in front.
        option: &'static str,
    },
    /// No time where some is needed.
    #[error("--{option} 0: {advice}")]
    Zero {
        /// The option, without dashes in front.
        option: &'static str,
        /// What to give instead.
        advice: &'static str,
    },
    /// The delay would start above its own limit.
    #[error("--restart-delay {} is longer than --max-restart-delay {}: raise the latter too", Human(*.delay), Human(*.max))]
    RestartDelay {
        /// The first delay.
        delay: Duration,
        /// The longest delay.
        max: Duration,
    },
    /// Not an address that a rule can be about.
    #[error(
        "--{option} {text:?}: write an address as 127.0.0.1:80, localhost:80, *:80, [::1]:80, /path or @abstract, \
         and a range of ports as 127.0.0.1:40000-40100, the lower one first, from 1 to 65535"
    )]
    Address {
        /// `share` or `private`.
        option: &'static str,
        /// What was given.
        text: String,
    },
    /// Not an address of UDP sockets that a rule can be about.
    #[error(
        "--{option} {text:?}: write an address of UDP sockets as udp:53, udp:*:53, udp:127.0.0.1:53, udp:[::1]:53 or udp:*, and a range of \
         ports as udp:127.0.0.1:40000-40100; a port is 1 to 65535"
    )]
    UdpAddress {
        /// `share` or `private`.
        option: &'static str,
        /// What was given.
        text: String,
    },
    /// One address under two rules.
    #[error("{0} is given to both --share and --private: give it to one of them")]
    SharedAndPrivate(String),
    /// A name that cannot be part of a file name.
    #[error("--name {0:?}: use 1 to 64 letters, digits, `.`, `_` and `-`, the first a letter or a digit")]
    Name(String),
    /// Arguments for an interpreter that is not named.
    #[error("--interpreter-arg: give --interpreter too, whose arguments these are")]
    NoInterpreter,
    /// A name that is none.
    #[error("--interpreter: the name is empty")]
    EmptyInterpreter,
    /// What no program can be given.
    #[error("--interpreter: a name or an argument holds a NUL byte")]
    NulInInterpreter,
    /// Bytes that are not seen cannot be decoded.
    #[error("--encoding: give --capture too; what is inherited is not read here")]
    EncodingWithoutCapture,
    /// A port that nothing stands for.
    #[error("--base-port is what {{port}} is counted from: give --placeholders too")]
    BasePort,
    /// Nothing to count from.
    #[error("{{port}} is in the command: give --base-port, which it is counted from")]
    NoBasePort,
    /// More workers than ports.
    #[error("--base-port {0}: there are not as many ports above it as workers")]
    BasePortTooHigh(u16),
    /// A path that is none.
    #[error("--control: the path is empty; give one, or none")]
    EmptyControl,
    /// No connection could be given to any worker.
    #[error("--max-connections 0: give at least 1, the open connections that one worker may have")]
    MaxConnections,
    /// The kernel gives out connections before anything else can be looked at.
    #[error("--dispatch kernel does not go with this --{option}: leave that away, or give --dispatch credit")]
    KernelDispatch {
        /// The option, without dashes in front.
        option: &'static str,
    },
    /// No such signal.
    #[error("--dump-signal {0}: there is no such signal")]
    DumpSignal(i32),
    /// Not what a request can ask for.
    #[error("--ready http:{0}: give a path that begins with / and holds no blanks or control characters")]
    ReadyPath(String),
    /// Neither more processes nor fewer: nothing could be replaced.
    #[error("--max-surge 0: give --max-unavailable 1 too, or no process can take the place of another")]
    NoSurge,
    /// No such signal.
    #[error("--stop-signal {0}: there is no such signal, or it cannot be caught")]
    StopSignal(i32),
    /// No sample, no judgement.
    #[error("--memory-samples 0: give at least 1")]
    MemorySamples,
    /// Memory is looked at with each pulse.
    #[error("--memory-limit: needs a --pulse, by which memory is sampled")]
    MemoryWithoutPulse,
    /// A share that is none.
    #[error("--memory-limit: give an amount of memory, or a share of 1% to 100%")]
    MemoryLimit,
    /// A worker that would never begin.
    #[error("--recycle-after-connections 0: give at least 1")]
    RecycleAfter,
    /// A number that makes no sense for the option.
    #[error("--{option} {given}: give {allowed}")]
    OutOfRange {
        /// The option, without dashes in front.
        option: &'static str,
        /// What was given.
        given: u64,
        /// What can be given.
        allowed: &'static str,
    },
    /// A path that is none.
    #[error("--{option}: the path is empty")]
    EmptyPath {
        /// `chroot`, `cwd`, `env-file`, `thunk` or `watch`.
        option: &'static str,
    },
    /// A name that no user or group can have.
    #[error("--{option}: give a name or a number")]
    EmptyName {
        /// `user`, `group` or `groups`.
        option: &'static str,
    },
    /// No such priority.
    #[error("--nice {0}: give a number from -20, which is first, to 19")]
    Nice(i32),
    /// No descriptor that a worker can be given.
    #[error("--ready fd:{0}: {range}", range = FD)]
    ReadyFd(u16),
    /// No process exits with it.
    #[error("--exit-codes-ok {0}: an exit code is 0 to 255")]
    ExitCode(i32),
}

//! How a process ends: the signals that it is sent, how it ended, and what follows. Plain data.

/// What the core asks to be sent; the shell knows the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// The stop signal (SIGTERM).
    Stop,
    /// SIGKILL.
    Kill,
    /// SIGHUP.
    HangUp,
    /// SIGABRT.
    Abort,
    /// SIGUSR1.
    Debug,
    /// This one.
    Number(i32),
}

/// How a worker's first process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It returned this code, 0 to 255.
    Code(i32),
    /// This signal ended it.
    Signal { signal: i32, core_dumped: bool, oom_killed: bool },
}

/// What follows when a worker has exited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is started again, because it was not asked to exit.
    Restart,
    /// It is started again, because somebody said so.
    Commanded,
    /// It has done its work.
    Finished,
    /// It has no restart left.
    BudgetSpent,
    /// It was asked to stop.
    Stopped,
    /// Another has its place already.
    Replaced,
    /// It was to take the place of one that goes on.
    Failed,
}

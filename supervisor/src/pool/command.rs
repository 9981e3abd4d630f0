//! What people can want of one worker. Names only: `commanding` does it.

/// What can be wanted of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Run: now if it is down, and again if it stops.
    Start,
    /// Stop, and stay down until commanded.
    Stop,
    /// Stop and start again, or start if it is down. Needs no budget and no delay.
    Restart,
    /// SIGHUP; where nothing runs, start.
    HangUp,
    /// SIGKILL, and stay down.
    ForceStop,
    /// SIGABRT, and stay down.
    Dump,
    /// SIGUSR1 and no kill: somebody debugs it and ends it.
    Debug,
    /// This signal, whatever it does.
    Signal(i32),
    /// Out of rotation, whatever processes come and go.
    Cordon,
    /// Back into rotation, at its end.
    Uncordon,
}

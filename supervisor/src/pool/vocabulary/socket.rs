//! The listening socket of a balancer: where it is in its life, and how connections reach workers from it. Plain data.

use std::time::Instant;

/// Whether new connections may still come to the listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Intake {
    Open,
    /// Only those that were on their way.
    Closing,
    /// None is left in its queue.
    Empty,
    /// The socket has been closed.
    Gone,
}

/// Where a load balancer is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BalancerState {
    /// Its socket has failed; it is opened again at `due`.
    Standby { due: Instant },
    /// Its socket is being opened again.
    Starting,
    /// Its socket listens.
    Running,
    /// The cluster stops: it accepts nothing more.
    Stopping,
}

/// How connections reach the workers of a balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The shell accepts them, and hands each to a lane.
    Handoff,
    /// The queue of its socket can be seen, and workers may accept from it by themselves, on credit.
    Credit,
    /// Workers accept from listening sockets without asking. The core only says who is in the rotation, by `Steer`.
    Kernel,
}

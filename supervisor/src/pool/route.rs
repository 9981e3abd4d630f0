//! How connections reach the workers of a balancer. Plain data.

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

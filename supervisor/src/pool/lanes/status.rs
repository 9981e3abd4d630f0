//! Whether a lane may be given connections, and what that follows from: the lane itself, and its worker. Plain data.

/// May a lane be given connections?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaneStatus {
    /// In rotation.
    Ready,
    /// As many wait in it as may: watched until it drains.
    Full,
    /// Nothing was taken from it for too long: watched until the void record is taken. Or its worker lags.
    Suspect,
    /// Those who shared it have lanes of their own: watched until somebody takes the void record after all.
    Left,
    /// Its worker has as many connections as it may.
    AtLimit,
    /// Its worker is to get none, because somebody said so.
    Cordoned,
    /// Its worker is not ready yet, or has said that it is about to end.
    Waiting,
    /// Its worker stops.
    Stopping,
}

/// What is known of the lane itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum LaneState {
    Ready,
    Full,
    Suspect,
    Left,
}

/// What follows for it from its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Eligibility {
    Open,
    AtLimit,
    Suspect,
    Cordoned,
    Waiting,
    Stopping,
}

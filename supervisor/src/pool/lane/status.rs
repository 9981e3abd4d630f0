//! Whether a lane may be given connections, and what that follows from: the lane itself, and its worker. It changes neither.

use super::Lane;

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

impl Lane {
    /// Whether it may be given connections.
    pub(crate) fn status(&self) -> LaneStatus {
        match (self.eligibility, self.state) {
            (Eligibility::Stopping, _) => LaneStatus::Stopping,
            (Eligibility::Cordoned, _) => LaneStatus::Cordoned,
            (Eligibility::Waiting, _) => LaneStatus::Waiting,
            (Eligibility::Suspect, _) | (Eligibility::Open | Eligibility::AtLimit, LaneState::Suspect) => {
                LaneStatus::Suspect
            }
            (Eligibility::Open | Eligibility::AtLimit, LaneState::Left) => LaneStatus::Left,
            (Eligibility::AtLimit, LaneState::Ready | LaneState::Full) => LaneStatus::AtLimit,
            (Eligibility::Open, LaneState::Full) => LaneStatus::Full,
            (Eligibility::Open, LaneState::Ready) => LaneStatus::Ready,
        }
    }

    /// It may be given a connection now.
    pub(in crate::pool) fn is_ready(&self) -> bool {
        self.eligibility == Eligibility::Open && self.state == LaneState::Ready && !self.open && !self.rests
    }

    /// It will be given connections: now, or once it has room or its worker has fewer.
    pub(crate) fn may_take(&self) -> bool {
        matches!(self.eligibility, Eligibility::Open | Eligibility::AtLimit)
            && matches!(self.state, LaneState::Ready | LaneState::Full)
    }

    /// It may be given connections as soon as it takes those it has.
    pub(in crate::pool) fn is_usable(&self) -> bool {
        matches!(self.eligibility, Eligibility::Open | Eligibility::AtLimit | Eligibility::Suspect)
    }

    /// Those who shared it have lanes of their own: a void record waits in it for whoever comes.
    pub(crate) fn is_left(&self) -> bool {
        self.state == LaneState::Left
    }

    /// What waits in it is a void record, and nothing is to be concluded from that.
    pub(in crate::pool) fn keeps_void(&self) -> bool {
        matches!(self.state, LaneState::Suspect | LaneState::Left)
    }

    /// It is out of rotation because of its worker's lag, or because nothing is taken from it; but for that it would be in.
    pub(in crate::pool) fn is_out(&self) -> bool {
        self.eligibility == Eligibility::Suspect
            || self.eligibility == Eligibility::Open && self.state == LaneState::Suspect
    }
}

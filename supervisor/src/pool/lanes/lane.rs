//! One lane: whose it is, what is known of its process, and whether it may be given connections and credits. It holds no connection, and what
//! may wait in it is counted in `contents`.

use super::status::{Eligibility, LaneState, LaneStatus};
use crate::ids::{BalancerId, ConnId, LaneId, WorkerId};
use crate::pool::vocabulary::deadlines::after;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Who is ahead of the least by no more than this many connections is not far ahead,
const AHEAD_BY: u64 = 32;
/// nor who is ahead by no more than one in so many.
const AHEAD_SHARE: u64 = 10;

/// All lanes, oldest first.
pub(in crate::pool) type Lanes = BTreeMap<LaneId, Lane>;

/// What the pool knows of a lane.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    worker: WorkerId,
    balancer: BalancerId,
    pub(in crate::pool) state: LaneState,
    pub(in crate::pool) eligibility: Eligibility,
    /// The process that holds it accepts by itself, if it may.
    pub(in crate::pool) willing: bool,
    /// And it may, on credit.
    pub(in crate::pool) credit: bool,
    /// It has an open credit.
    pub(in crate::pool) open: bool,
    /// Its worker waits at the queue itself while that is open, and does not shut it.
    pub(in crate::pool) direct: bool,
    /// It is to take nothing for a moment, because it is far ahead of others.
    pub(in crate::pool) rests: bool,
    /// What it has taken while there were open credits.
    pub(in crate::pool) storm: Storm,
    /// Until then it has no open credit: it had no descriptor, or such credits have stalled.
    pub(in crate::pool) singles_until: Option<Instant>,
    /// Until then what it was given is not late: its thread has been woken and waits for a processor.
    pub(in crate::pool) woken_until: Option<Instant>,
    /// What it was given was not used in time, and that has been counted.
    pub(in crate::pool) is_late: bool,
    /// An open credit fits the way in which its threads accept.
    pub(in crate::pool) may_open: bool,
    /// Its thread can wait at the queue itself.
    pub(in crate::pool) may_watch: bool,
    /// It was told to accept one in each round while it does.
    pub(in crate::pool) one_each: bool,
    /// Threads that accept by it, at least 1.
    pub(in crate::pool) threads: u32,
    /// How often an open credit has not moved though it should have, since the last one that found the queue empty.
    pub(in crate::pool) stalls: u8,
    /// When it was last given anything.
    pub(in crate::pool) granted_at: Option<Instant>,
    /// One by one: it has accepted what it was given last. What is counted to be in it is that, and covers nothing that waits.
    pub(in crate::pool) is_serving: bool,
    /// It belongs to one of several processes that shared a lane.
    pub(in crate::pool) shared_out: bool,
    /// Its requests are long: what waited in it would wait for all of one.
    pub(in crate::pool) one_by_one: bool,
    /// One by one: it was given one, and its thread has not been found waiting since.
    pub(super) busy: bool,
    /// One by one: its turn came while it was busy, and somebody waited or went elsewhere.
    pub(super) passed_over: bool,
    /// The process that holds it is being ended.
    pub(in crate::pool) condemned: bool,
    /// When it was last dispatched to, in the count of its balancer; 0 is never.
    pub(in crate::pool) turn: u64,
    /// Put into the lane since it opened and not taken back, with void records.
    pub(super) sent: u64,
    /// How many of these are known to have been received.
    pub(super) taken: u64,
    /// How many of them the shell has yet to be told of.
    pub(super) unpolled: u32,
    /// The last connection dispatched to it, to know it again should the lane not take it.
    pub(super) last: Option<ConnId>,
    pub(super) waiting_since: Option<Instant>,
    /// A connection may wait in it, and not only a void record.
    pub(super) wanted: bool,
    /// A connection has come that would have been its turn, had it not been out of rotation as a suspect.
    pub(in crate::pool) missed: bool,
    /// What `waiting_since` was when it became a suspect.
    pub(super) stuck: Option<Stuck>,
    pub(super) look: Option<LaneLook>,
}

/// How long a suspect has taken nothing, and whether anybody minded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stuck {
    pub(super) since: Instant,
    pub(super) wanted: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct LaneLook {
    pub(super) at: Instant,
    /// What the wait before it was; the next is twice as long.
    pub(super) step: Duration,
}

/// What one lane has taken by open credits since there were any.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::pool) struct Storm {
    pub(in crate::pool) taken: u64,
    /// That, at the last comparison.
    pub(in crate::pool) seen: u64,
}

impl Storm {
    /// It has taken far more than so many.
    pub(in crate::pool) fn is_far_from(&self, least: Option<u64>) -> bool {
        least.is_some_and(|least| self.taken > least + AHEAD_BY.max(least / AHEAD_SHARE))
    }
}

/// How exactly a count of what waits is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Count {
    Exact,
    /// Raised to the window when the lane did not take a connection.
    AtMost,
}

impl Lane {
    pub(in crate::pool) fn new(worker: WorkerId, balancer: BalancerId, eligibility: Eligibility) -> Self {
        Self {
            worker,
            balancer,
            state: LaneState::Ready,
            eligibility,
            willing: false,
            credit: false,
            open: false,
            direct: false,
            rests: false,
            singles_until: None,
            woken_until: None,
            is_late: false,
            storm: Storm::default(),
            may_open: false,
            may_watch: false,
            one_each: false,
            threads: 1,
            stalls: 0,
            granted_at: None,
            is_serving: false,
            shared_out: false,
            one_by_one: false,
            busy: false,
            passed_over: false,
            condemned: false,
            turn: 0,
            sent: 0,
            taken: 0,
            unpolled: 0,
            last: None,
            waiting_since: None,
            wanted: false,
            missed: false,
            stuck: None,
            look: None,
        }
    }

    /// It has no open credit for so long.
    pub(in crate::pool) fn gets_singles(&mut self, now: Instant, time: Duration) {
        self.singles_until = self.singles_until.max(Some(after(now, time)));
    }

    /// The incarnation that receives from it.
    pub(crate) fn worker(&self) -> WorkerId {
        self.worker
    }

    /// The shared address it stands for.
    pub(crate) fn balancer(&self) -> BalancerId {
        self.balancer
    }

    /// It may accept until its queue is empty.
    #[cfg(test)]
    pub(crate) fn has_open_credit(&self) -> bool {
        self.open
    }

    /// It is to take nothing for a moment, because it is far ahead of others.
    #[cfg(test)]
    pub(crate) fn is_resting(&self) -> bool {
        self.rests
    }

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

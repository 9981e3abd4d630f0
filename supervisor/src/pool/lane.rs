//! One lane: what is known of its process, and whether it may have credits. It holds no connection, and what may wait in it is counted in
//! `contents`.

mod contents;
mod looks;
mod status;

pub(super) use contents::GaveBack;
pub(crate) use status::LaneStatus;
pub(super) use status::{Eligibility, LaneState};

use super::Settings;
use super::deadlines::after;
use crate::ids::{BalancerId, ConnId, LaneId, WorkerId};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Who is ahead of the least by no more than this many connections is not far ahead,
const AHEAD_BY: u64 = 32;
/// nor who is ahead by no more than one in so many.
const AHEAD_SHARE: u64 = 10;

/// All lanes, oldest first.
pub(super) type Lanes = BTreeMap<LaneId, Lane>;

/// What the pool knows of a lane.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    worker: WorkerId,
    balancer: BalancerId,
    pub(super) state: LaneState,
    pub(super) eligibility: Eligibility,
    /// The process that holds it accepts by itself, if it may.
    pub(super) willing: bool,
    /// And it may, on credit.
    pub(super) credit: bool,
    /// It has an open credit.
    pub(super) open: bool,
    /// Its worker waits at the queue itself while that is open, and does not shut it.
    pub(super) direct: bool,
    /// It is to take nothing for a moment, because it is far ahead of others.
    pub(super) rests: bool,
    /// What it has taken while there were open credits.
    pub(super) storm: Storm,
    /// Until then it has no open credit: it had no descriptor, or such credits have stalled.
    pub(super) singles_until: Option<Instant>,
    /// Until then what it was given is not late: its thread has been woken and waits for a processor.
    pub(super) woken_until: Option<Instant>,
    /// What it was given was not used in time, and that has been counted.
    pub(super) is_late: bool,
    /// An open credit fits the way in which its threads accept.
    pub(super) may_open: bool,
    /// Its thread can wait at the queue itself.
    pub(super) may_watch: bool,
    /// It was told to accept one in each round while it does.
    pub(super) one_each: bool,
    /// Threads that accept by it, at least 1.
    pub(super) threads: u32,
    /// How often an open credit has not moved though it should have, since the last one that found the queue empty.
    pub(super) stalls: u8,
    /// When it was last given anything.
    pub(super) granted_at: Option<Instant>,
    /// One by one: it has accepted what it was given last. What is counted to be in it is that, and covers nothing that waits.
    pub(super) is_serving: bool,
    /// It belongs to one of several processes that shared a lane.
    pub(super) shared_out: bool,
    /// Its requests are long: what waited in it would wait for all of one.
    pub(super) one_by_one: bool,
    /// One by one: it was given one, and its thread has not been found waiting since.
    pub(super) busy: bool,
    /// One by one: its turn came while it was busy, and somebody waited or went elsewhere.
    passed_over: bool,
    /// The process that holds it is being ended.
    pub(super) condemned: bool,
    /// When it was last dispatched to, in the count of its balancer; 0 is never.
    pub(super) turn: u64,
    /// Put into the lane since it opened and not taken back, with void records.
    sent: u64,
    /// How many of these are known to have been received.
    taken: u64,
    /// How many of them the shell has yet to be told of.
    unpolled: u32,
    /// The last connection dispatched to it, to know it again should the lane not take it.
    last: Option<ConnId>,
    waiting_since: Option<Instant>,
    /// A connection may wait in it, and not only a void record.
    wanted: bool,
    /// A connection has come that would have been its turn, had it not been out of rotation as a suspect.
    pub(super) missed: bool,
    /// What `waiting_since` was when it became a suspect.
    stuck: Option<Stuck>,
    look: Option<Look>,
}

/// How long a suspect has taken nothing, and whether anybody minded.
#[derive(Clone, Copy, Debug)]
struct Stuck {
    since: Instant,
    wanted: bool,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    /// What the wait before it was; the next is twice as long.
    step: Duration,
}

/// What one lane has taken by open credits since there were any.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Storm {
    pub(super) taken: u64,
    /// That, at the last comparison.
    pub(super) seen: u64,
}

impl Storm {
    /// It has taken far more than so many.
    pub(super) fn is_far_from(&self, least: Option<u64>) -> bool {
        least.is_some_and(|least| self.taken > least + AHEAD_BY.max(least / AHEAD_SHARE))
    }
}

/// How exactly a count of what waits is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    Exact,
    /// Raised to the window when the lane did not take a connection.
    AtMost,
}

impl Lane {
    pub(super) fn new(worker: WorkerId, balancer: BalancerId, eligibility: Eligibility) -> Self {
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

    /// Somebody waits for it at a socket of its own.
    pub(super) fn is_waited_at(&mut self) {
        self.wanted = true;
    }

    /// It has no open credit for so long.
    pub(super) fn gets_singles(&mut self, now: Instant, time: Duration) {
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

    /// So many connections may wait in it; or, one by one, be served or wait.
    pub(super) fn window(&self, settings: &Settings) -> u32 {
        match (self.one_by_one, self.credit) {
            (true, _) => 1,
            (false, true) => self.threads,
            (false, false) => settings.balancing.window(),
        }
    }

    /// It may have no room for one more, as far as is known here.
    pub(super) fn may_be_full(&self, settings: &Settings) -> bool {
        self.in_flight() >= u64::from(self.window(settings)) || self.is_busy()
    }

    /// One by one: its thread is not known to wait.
    pub(crate) fn is_busy(&self) -> bool {
        self.one_by_one && self.busy
    }

    /// Its turn has come, and so many are in it or being served.
    pub(super) fn had_its_turn(&mut self, waiting: u32) {
        if self.one_by_one {
            self.busy = waiting > 0;
            self.passed_over = self.busy;
        }
    }

    /// Since when something has waited in it without anything being taken.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        self.waiting_since
    }

    /// Somebody has waited for its worker: in it, or for a turn that it could not have.
    pub(super) fn is_wanted(&self) -> bool {
        self.missed || self.is_waited_in()
    }

    /// A connection may wait in it, or was taken back when it became a suspect.
    pub(super) fn is_waited_in(&self) -> bool {
        self.wanted || self.passed_over || self.stuck.is_some_and(|stuck| stuck.wanted)
    }
}

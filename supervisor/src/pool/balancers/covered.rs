//! What the credits stand for that are out: how many connections they are about to take, and whether anybody idles. It reads lanes, and
//! changes none.

use super::queue::{FRESH, LATE};
use crate::ids::BalancerId;
use crate::pool::lanes::lane::Lanes;
use crate::pool::vocabulary::deadlines::after;
use crate::pool::{Deadline, Lane};
use std::time::Instant;

/// What the credits that are out stand for.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::pool) struct Covered {
    /// Connections that unused singles are about to take.
    pub(in crate::pool) singles: u32,
    /// Lanes that may take one: all,
    pub(in crate::pool) takers: u32,
    /// those with an open credit,
    pub(in crate::pool) opened: u32,
    /// (of which some shut it themselves when they find the queue empty)
    pub(in crate::pool) shutting: u32,
    /// and those that are to take nothing for a moment.
    pub(in crate::pool) rests: u32,
    /// A lane that may take one has no credit, and has had none for a while.
    pub(in crate::pool) any_idle: bool,
    /// One of them is late and counts for nothing any more.
    pub(in crate::pool) is_any_late: bool,
    /// When the first of the unused singles is late.
    pub(in crate::pool) late_at: Option<Deadline>,
}

/// The lane has nothing, and has been given nothing for a while.
pub(in crate::pool) fn is_idle(now: Instant, lane: &Lane) -> bool {
    let is_fresh = lane.granted_at.is_some_and(|granted| now < after(granted, FRESH));
    lane.in_flight() == 0 && !is_fresh && !lane.is_busy()
}

/// The lane has had a single for too long. Of what was handed over it is not seen when it is taken.
pub(in crate::pool) fn is_late(now: Instant, lane: &Lane) -> bool {
    lane.credit
        && lane.may_take()
        && !lane.open
        && lane.in_flight() > 0
        && lane.waiting_since().is_some_and(|since| late_at(lane, since) <= now)
}

/// The lane has a single that it is about to use.
pub(super) fn is_coming(now: Instant, lane: &Lane) -> bool {
    lane.credit
        && lane.may_take()
        && lane.in_flight() > 0
        && lane.waiting_since().is_some_and(|since| late_at(lane, since) > now)
}

/// When what has waited in the lane since then is late.
pub(super) fn late_at(lane: &Lane, since: Instant) -> Deadline {
    let late = after(since, LATE);
    lane.woken_until.map_or(late, |until| until.max(late))
}

impl Covered {
    /// What they stand for at this balancer.
    pub(in crate::pool) fn of(now: Instant, id: BalancerId, lanes: &Lanes) -> Self {
        let mut covered = Self::default();
        for lane in lanes.values().filter(|lane| lane.balancer() == id && lane.may_take()) {
            covered.takers += 1;
            if lane.open || lane.rests {
                covered.opened += u32::from(lane.open);
                covered.shutting += u32::from(lane.open && !lane.direct);
                covered.rests += u32::from(!lane.open);
                continue;
            }
            if lane.in_flight() == 0 {
                covered.any_idle |= is_idle(now, lane);
                continue;
            }
            if lane.one_by_one && lane.is_serving {
                continue;
            }
            // What waits in it since no moment that is known is a void record: no right.
            let late = lane.waiting_since().map(|since| late_at(lane, since));
            covered.is_any_late |= late.is_some_and(|late| late <= now);
            if let Some(late) = late.filter(|late| *late > now) {
                covered.singles = covered.singles.saturating_add(lane.in_flight() as u32);
                covered.late_at = Some(covered.late_at.map_or(late, |first| first.min(late)));
            }
        }
        covered
    }

    /// As [`Pool::is_hushed`].
    pub(in crate::pool) fn is_hushed(self) -> bool {
        self.opened > 0 && self.opened + self.rests == self.takers
    }
}

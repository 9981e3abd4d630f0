//! Steady traffic: connections have come one after the other for long, and workers that can wait at the queue itself all do. The kernel
//! wakes them by turns, each accepts one, and nobody is told of single connections. It decides when that is so, and gives nothing itself.

use super::Output;
use super::deadlines::after;
use super::missed::is_out;
use super::pool::Pool;
use crate::ids::BalancerId;
use std::time::{Duration, Instant};

/// So many connections make it steady, if they come
const MANY: u64 = 1_000;
/// with no longer time between two of them.
const GAP: Duration = Duration::from_millis(100);
/// It ends when none has come for so long, and begins again
pub(super) const SILENCE: Duration = Duration::from_millis(20);
/// after so many.
const AGAIN: u64 = 500;
/// It goes by turns again for a moment each second, which shows who does not take what it is told of:
const LASTS: Duration = Duration::from_secs(1);
/// so many times each.
const ROUNDS: u64 = 4;

/// What a balancer knows of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Steady {
    /// Connections that had been accepted when this was last looked at.
    accepted: u64,
    /// How many have come in a row,
    in_a_row: u64,
    /// the last of them then.
    last: Option<Instant>,
    /// The kernel wakes workers by turns, until then.
    until: Option<Instant>,
}

impl Steady {
    /// So many have been accepted by now.
    pub(super) fn saw(&mut self, now: Instant, accepted: u64) {
        let count = accepted.saturating_sub(std::mem::replace(&mut self.accepted, accepted));
        if self.last.is_some_and(|last| after(last, GAP) < now) {
            self.in_a_row = 0;
        }
        if count > 0 {
            self.in_a_row = self.in_a_row.saturating_add(count);
            self.last = Some(now);
        }
    }

    fn is_due(&self) -> bool {
        self.in_a_row >= MANY
    }

    /// The kernel wakes workers by turns.
    pub(super) fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// It does so no longer, because workers are behind.
    pub(super) fn end(&mut self) {
        self.until = None;
    }

    /// It does so no longer, because nobody comes.
    pub(super) fn fades(&mut self) {
        if self.until.take().is_some() {
            self.in_a_row = self.in_a_row.min(MANY - AGAIN);
        }
    }

    /// It has done so for long enough. What has come so far counts for the next time, but for a few turns of each of these lanes.
    pub(super) fn has_lasted(&mut self, now: Instant, lanes: u32) -> bool {
        let is_over = self.until.is_some_and(|until| until <= now);
        if is_over {
            self.until = None;
            self.in_a_row = MANY.saturating_sub(ROUNDS * u64::from(lanes));
        }
        is_over
    }
}

impl Pool {
    /// It begins here and now, if traffic has been steady, and everybody can wait at the queue itself.
    pub(super) fn steady_begins(&mut self, now: Instant, id: BalancerId) -> bool {
        let is_due =
            |balancer: &super::balancer::Balancer| balancer.queue.steady.is_due() && balancer.held() == 0;
        if !self.balancers.get(&id).is_some_and(is_due) || !self.open_fits() || !self.all_may_watch(id) {
            return false;
        }
        if let Some(balancer) = self.balancers.get_mut(&id) {
            balancer.queue.steady.until = Some(after(now, LASTS));
        }
        true
    }

    /// Whoever may take from the balancer can wait at the queue itself, and nobody is out of rotation whom only turns bring back.
    fn all_may_watch(&self, id: BalancerId) -> bool {
        let mut any = false;
        for lane in self.lanes.values().filter(|lane| lane.balancer() == id) {
            if lane.may_take() {
                any = true;
                if !(lane.credit && lane.may_open && lane.may_watch) || lane.one_by_one || lane.rests {
                    return false;
                }
            } else if is_out(lane) {
                return false;
            }
        }
        any
    }

    /// Those who have open credits are told whether they take one in each round.
    pub(super) fn tell_pace(&mut self, id: BalancerId) {
        let Some(balancer) = self.balancers.get(&id) else { return };
        let one_each = balancer.queue.steady.is_on();
        for (&lane_id, lane) in self.lanes.iter_mut().filter(|(_, lane)| lane.balancer() == id && lane.open) {
            if lane.one_each != one_each {
                lane.one_each = one_each;
                self.outbox.push_back(Output::Pace { lane: lane_id, one_each });
            }
        }
    }
}

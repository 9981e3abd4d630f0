//! When a lane is looked at next, what a look at it has found, and how long it has not moved. It looks at nothing itself.

use super::lane::{Count, Lane, LaneLook, Stuck};
use super::status::LaneState;
use crate::pool::vocabulary::deadlines::after;
use crate::pool::{Deadline, Settings};
use std::time::{Duration, Instant};
/// A lane that keeps something waiting is looked at this often at least, a suspect always.
const LOOK_AT_MOST: Duration = Duration::from_secs(1);
const LOOK_AT_LEAST: Duration = Duration::from_millis(1);

impl Lane {
    pub(in crate::pool) fn look_at(&self) -> Option<Deadline> {
        self.look.map(|look| look.at)
    }

    /// Is it time to look? If so, the next look is set.
    pub(in crate::pool) fn look_due(&mut self, now: Instant, settings: &Settings) -> bool {
        let Some(look) = self.look.filter(|look| look.at <= now) else { return false };
        // A supervisor that comes this late was itself not running: that says nothing about the worker.
        let late = now.saturating_duration_since(look.at);
        if settings.health.lag_limit.is_some_and(|limit| late > limit / 2) {
            self.waiting_since = self.waiting_since.map(|_| now);
            self.stuck = self.stuck.map(|stuck| Stuck { since: (stuck.since + late).min(now), ..stuck });
        }
        let step = look.step.saturating_mul(2).clamp(LOOK_AT_LEAST, LOOK_AT_MOST);
        let at = no_later_than_lag(after(now, step), now, self.waiting_since, settings);
        self.look = Some(LaneLook { at, step });
        true
    }

    /// So many wait in it. Returns when to look, if that is sooner than it was.
    pub(in crate::pool) fn observe(
        &mut self,
        now: Instant,
        waiting: u32,
        count: Count,
        settings: &Settings,
    ) -> Option<Deadline> {
        let taken = self.sent.saturating_sub(u64::from(waiting));
        let moved = taken > self.taken;
        self.taken = match count {
            Count::Exact => taken,
            Count::AtMost => taken.max(self.taken),
        };
        if waiting == 0 {
            self.waiting_since = None;
            self.wanted = false;
            // One that is watched for its thread to wait may be missed.
            if count == Count::Exact && !(self.state == LaneState::Full && self.is_busy()) {
                self.look = None;
            }
            return None;
        }
        if !self.keeps_void() && (moved || self.waiting_since.is_none()) {
            self.waiting_since = Some(now);
        }
        match &mut self.look {
            None => self.look_soon(now, settings),
            Some(look) => {
                let sooner = no_later_than_lag(look.at, now, self.waiting_since, settings);
                let moved = sooner < look.at;
                look.at = sooner;
                moved.then_some(sooner)
            }
        }
    }

    /// For how long nothing has been taken, if that is too long.
    pub(in crate::pool) fn stuck_for(&self, now: Instant, settings: &Settings) -> Option<Duration> {
        let waited = now.saturating_duration_since(self.waiting_since?);
        (waited >= settings.health.lag_limit?).then_some(waited)
    }

    /// What waited in it is taken back, and a void record waits instead.
    pub(in crate::pool) fn become_suspect(&mut self, now: Instant) {
        self.state = LaneState::Suspect;
        (self.open, self.rests) = (false, false);
        self.stuck = Some(Stuck { since: self.waiting_since.unwrap_or(now), wanted: self.wanted });
        self.empty();
        self.look = Some(LaneLook { at: now + LOOK_AT_MOST, step: LOOK_AT_MOST });
    }

    /// What waited in it is taken back, and a void record waits for whoever comes to receive from it.
    pub(in crate::pool) fn leave_to_others(&mut self, now: Instant) -> Deadline {
        self.state = LaneState::Left;
        (self.open, self.rests) = (false, false);
        self.stuck = None;
        self.empty();
        let at = now + LOOK_AT_MOST;
        self.look = Some(LaneLook { at, step: LOOK_AT_MOST });
        at
    }

    /// Something was taken again.
    pub(in crate::pool) fn recover(&mut self) {
        self.state = LaneState::Ready;
        self.stuck = None;
        self.missed = false;
    }

    /// The same, though it may well move. Returns when to look, if that is sooner than it was.
    pub(in crate::pool) fn yield_up(&mut self, now: Instant, settings: &Settings) -> Option<Deadline> {
        self.state = LaneState::Ready;
        self.empty();
        self.look_soon(now, settings)
    }

    pub(super) fn empty(&mut self) {
        self.sent = self.taken + 1;
        self.last = None;
        self.waiting_since = None;
        self.wanted = false;
    }

    pub(super) fn look_soon(&mut self, now: Instant, settings: &Settings) -> Option<Deadline> {
        let step = settings.look_after.min(LOOK_AT_MOST);
        let mut at = no_later_than_lag(after(now, step), now, self.waiting_since, settings);
        if let Some(look) = self.look {
            at = at.min(look.at);
        }
        let sooner = self.look.is_none_or(|look| at < look.at);
        self.look = Some(LaneLook { at, step });
        sooner.then_some(at)
    }

    /// For how long a suspect has taken nothing.
    pub(crate) fn suspect_for(&self, now: Instant) -> Option<Duration> {
        self.stuck.map(|stuck| now.saturating_duration_since(stuck.since))
    }

    /// Since when a suspect has taken nothing.
    #[cfg(test)]
    pub(in crate::pool) fn stuck_since(&self) -> Option<Instant> {
        self.stuck.map(|stuck| stuck.since)
    }

    /// For how long nothing has been taken from it though something waits.
    pub(in crate::pool) fn idle_for(&self, now: Instant) -> Option<Duration> {
        let waited = self.waiting_since.map(|since| now.saturating_duration_since(since));
        waited.max(self.suspect_for(now))
    }
}

/// A look at the moment a lane may become a suspect, not up to a second after it.
fn no_later_than_lag(at: Instant, now: Instant, since: Option<Instant>, settings: &Settings) -> Deadline {
    match (since, settings.health.lag_limit) {
        (Some(since), Some(limit)) => {
            let verdict = after(since, limit);
            if verdict > now { at.min(verdict) } else { at }
        }
        (None, _) | (_, None) => at,
    }
}

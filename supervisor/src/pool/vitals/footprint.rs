//! How much memory a process holds, and when that is a reason to replace it. Each sample is of resident memory, which counts
//! what processes share in full for each of them; so a process over the limit is measured once more, with its part of what it
//! shares, before anything follows. It measures nothing itself.

use crate::pool::vocabulary::deadlines::after;
use crate::pool::{Deadline, Measure, Settings};
use std::time::{Duration, Instant};

/// The first pause: between two measures of a process that only shares much, and from the replacement of a process for its
/// memory to that of its successor, if that is over the limit too. Doubles each time.
const PAUSE: Duration = Duration::from_secs(60);
/// The longest pause between two measures: what was shared may become the process's own without its resident memory growing.
const LONGEST_UNMEASURED: Duration = Duration::from_secs(600);
/// The longest time for which a successor over the limit is left alone.
const LONGEST_SPARED: Duration = Duration::from_secs(3600);

/// What is held against a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) struct Excess {
    pub(in crate::pool) bytes: u64,
    pub(in crate::pool) measure: Measure,
}

/// What follows from a measure, if a person may want to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Spared {
    /// It is over the limit only by what it shares; `own` is what counts.
    Shares { resident: u64, own: u64 },
    /// So was the process before it: another one would be no better. It is left alone for so long.
    LikeTheLast { excess: Excess, pause: Duration },
}

/// What is known of the memory of one process.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::pool) struct Footprint {
    /// Samples in a row that were over the limit, and the last sample.
    over: u32,
    resident: u64,
    /// A measure was ordered and is not answered.
    asked: bool,
    excess: Option<Excess>,
    /// Not measured for now.
    rest: Option<Rest>,
    /// So often it was found to be over the limit only by what it shares.
    shares: u32,
    /// When it was first seen at work while processes may be replaced.
    began: Option<Instant>,
    /// The process before it was replaced for its memory: it is left alone for so long after it began.
    pause: Option<Duration>,
    /// The resident memory of that process, when it was last sampled.
    before: u64,
    /// It was left alone as it was over the limit like the one before it.
    spared: bool,
    /// It is being replaced for its memory.
    replaced: bool,
}

#[derive(Clone, Copy, Debug)]
struct Rest {
    until: Deadline,
    /// It ends at once when resident memory is more than this.
    unless_over: u64,
}

impl Footprint {
    /// A sample of its resident memory.
    pub(in crate::pool) fn sample(&mut self, resident: u64, settings: &Settings) {
        let over = settings.recycle.memory_bytes().is_some_and(|limit| resident > limit);
        self.over = if over { self.over.saturating_add(1) } else { 0 };
        self.resident = resident;
        // What was measured before is old news: if it could not be acted on, it is measured again when it can.
        self.excess = None;
    }

    /// It is at work, and could be replaced. True if it is to be measured now.
    pub(in crate::pool) fn wants_measure(&mut self, now: Instant, settings: &Settings) -> bool {
        self.began.get_or_insert(now);
        let rests = self.rest.is_some_and(|rest| now < rest.until && self.resident <= rest.unless_over);
        let wants = self.over >= settings.recycle.memory_samples.max(1) && !self.asked && !rests;
        self.asked |= wants;
        wants
    }

    /// It was measured; `None` where that could not be done, and all that it holds counts.
    pub(in crate::pool) fn measured(
        &mut self,
        now: Instant,
        proportional: Option<u64>,
        settings: &Settings,
    ) -> Option<Spared> {
        self.asked = false;
        let limit = settings.recycle.memory_bytes().filter(|_| self.over > 0)?;
        let measure = if proportional.is_some() { Measure::Proportional } else { Measure::Resident };
        let bytes = proportional.unwrap_or(self.resident);
        if bytes <= limit {
            let until = after(now, doubled(PAUSE, self.shares, LONGEST_UNMEASURED));
            // Before it has grown by what is left to it, its own memory cannot be over the limit.
            self.rest = Some(Rest { until, unless_over: self.resident.saturating_add(limit - bytes) });
            self.shares = self.shares.saturating_add(1);
            return (self.shares == 1).then_some(Spared::Shares { resident: self.resident, own: bytes });
        }
        let excess = Excess { bytes, measure };
        if let Some((pause, until)) = self.spared_until().filter(|(_, until)| now < *until)
            && !(self.spared && self.rest.is_some_and(|rest| self.resident > rest.unless_over))
        {
            // One that grows on has a leak, and its successor would hold less, at first. It may only be loading what the one
            // before it held, too; but what is far over the limit is no measure.
            let expected = self.resident.max(self.before.min(limit.saturating_mul(2)));
            self.rest = Some(Rest { until, unless_over: expected.saturating_add(expected / 4) });
            let is_first = !std::mem::replace(&mut self.spared, true);
            return is_first.then_some(Spared::LikeTheLast { excess, pause });
        }
        self.excess = Some(excess);
        None
    }

    /// Why it is to be replaced.
    pub(super) fn excess(&self) -> Option<Excess> {
        self.excess
    }

    /// It is being replaced for that.
    pub(in crate::pool) fn is_replaced(&mut self) {
        self.replaced = true;
    }

    /// It goes on: nobody could be put in its place.
    pub(in crate::pool) fn goes_on(&mut self) {
        self.replaced = false;
        self.excess = None;
    }

    /// It comes after that one in the same slot.
    pub(super) fn succeed(&mut self, old: &Self) {
        let next = if old.spared { old.pause.map(|pause| doubled(pause, 1, LONGEST_SPARED)) } else { None };
        self.pause = old.replaced.then(|| next.unwrap_or(PAUSE));
        self.before = old.resident;
    }

    fn spared_until(&self) -> Option<(Duration, Deadline)> {
        let pause = self.pause?;
        Some((pause, after(self.began?, pause)))
    }
}

/// So often doubled, and no longer than `longest`.
fn doubled(pause: Duration, times: u32, longest: Duration) -> Duration {
    1u32.checked_shl(times).map_or(longest, |factor| pause.saturating_mul(factor)).min(longest)
}

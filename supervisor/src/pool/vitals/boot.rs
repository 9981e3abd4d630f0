//! What is known of a process while it boots: when it began to listen on each of its addresses, what looks at it have found, and which of
//! its own connections were refused. It looks at nothing itself.

use crate::ids::{BalancerId, WorkerId};
use crate::pool::vocabulary::deadlines::after;
use crate::pool::{Activity, BootEnd, Deadline, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// A successor has so many times the time that the old process took from its first address to the one that is missing:
/// two processes boot side by side, perhaps on a machine that has other work.
const SLOWER: u32 = 2;
/// Nobody waits longer than `start_timeout` for an address, or than this where that is no limit.
const LONGEST: Duration = Duration::from_secs(60);

/// What one process has opened so far.
#[derive(Clone, Debug, Default)]
pub(in crate::pool) struct Boot {
    ready: Option<Instant>,
    /// When it first listened on each address that is still open.
    opened: Vec<(BalancerId, Instant)>,
}

/// An address that a process serves, and how long after its first it did.
#[derive(Clone, Copy, Debug)]
pub(in crate::pool) struct Wanted {
    pub(in crate::pool) balancer: BalancerId,
    pub(in crate::pool) delay: Duration,
}

impl Boot {
    pub(in crate::pool) fn became_ready(&mut self, now: Instant) {
        self.ready.get_or_insert(now);
    }

    /// It listens there; `is_open` tells which addresses still count.
    pub(in crate::pool) fn listens(
        &mut self,
        now: Instant,
        balancer: BalancerId,
        is_open: impl Fn(BalancerId) -> bool,
    ) {
        self.opened.retain(|(id, _)| is_open(*id));
        if !self.opened.iter().any(|(id, _)| *id == balancer) {
            self.opened.push((balancer, now));
        }
    }

    /// When it began to listen, if it has.
    pub(in crate::pool) fn first_listen(&self) -> Option<Instant> {
        self.opened.iter().map(|(_, at)| *at).min()
    }

    /// When it last began to listen on another address.
    pub(in crate::pool) fn last_listen(&self) -> Option<Instant> {
        self.opened.iter().map(|(_, at)| *at).max()
    }

    /// It has listened somewhere.
    pub(in crate::pool) fn has_listened(&self) -> bool {
        !self.opened.is_empty()
    }

    fn first(&self) -> Option<Instant> {
        self.first_listen().or(self.ready)
    }

    pub(in crate::pool) fn delay(&self, balancer: BalancerId) -> Duration {
        let at = self.opened.iter().find(|(id, _)| *id == balancer).map(|(_, at)| *at);
        at.zip(self.first()).map_or(Duration::ZERO, |(at, first)| at.saturating_duration_since(first))
    }

    /// When a process that was spawned at `since` and lacks these addresses counts as listening on all it is going to.
    pub(in crate::pool) fn complete_at<'a>(
        &self,
        since: Instant,
        missing: impl Iterator<Item = &'a Wanted>,
        settings: &Settings,
    ) -> Option<Deadline> {
        let settle = settings.rollout.listen_settle;
        let last = self.last_listen().max(self.ready)?;
        let first = self.first()?;
        let due =
            missing.map(|wanted| after(first, wanted.delay.saturating_mul(SLOWER).saturating_add(settle)));
        let limit = if settings.readiness.start_timeout.is_zero() {
            LONGEST
        } else {
            settings.readiness.start_timeout
        };
        let due = due.max().map(|due| due.min(after(since, limit)));
        Some(after(last, settle).max(due?))
    }
}

/// From one look to the next.
pub(in crate::pool) const LOOK: Duration = Duration::from_millis(50);
/// Who was asleep at each look for so long, and has used no processor time meanwhile, waits.
const QUIET: Duration = Duration::from_millis(100);
/// Processor time after which a boot is over. One that waits for its share of a busy machine keeps its slot.
const BUDGET: Duration = Duration::from_secs(5);

/// What the looks at one process have found.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::pool) struct Booting {
    pub(in crate::pool) looked: Option<Instant>,
    /// Since when it was asleep at each look, with this processor time.
    quiet: Option<(Instant, Duration)>,
}

impl Booting {
    pub(in crate::pool) fn judge(&mut self, now: Instant, activity: Option<Activity>) -> Option<BootEnd> {
        let Some(Activity { spent, running, asleep }) = activity else {
            self.quiet = None;
            return None;
        };
        if spent >= BUDGET {
            return Some(BootEnd::Spent(spent));
        }
        let (since, before) = *self.quiet.get_or_insert((now, running));
        if !asleep {
            self.quiet = None;
        } else if before != running {
            self.quiet = Some((now, running));
        } else if now.saturating_duration_since(since) >= QUIET {
            return Some(BootEnd::Waits);
        }
        None
    }
}

/// Who was refused, and what came of it.
#[derive(Clone, Debug, Default)]
pub(in crate::pool) struct Refusals {
    /// How often, until the worker listens there.
    pub(in crate::pool) counts: BTreeMap<(WorkerId, BalancerId), u32>,
    /// Slots whose last process was refused and ended without having listened there: that did not help it.
    pub(in crate::pool) spared: BTreeSet<u32>,
}

impl Refusals {
    /// The worker listens there: it did test its own address.
    pub(in crate::pool) fn listened(&mut self, worker: WorkerId, balancer: BalancerId) {
        self.counts.remove(&(worker, balancer));
    }

    /// The process is gone. `served` if it has listened anywhere.
    pub(in crate::pool) fn ended(&mut self, worker: WorkerId, served: bool) {
        let before = self.counts.len();
        self.counts.retain(|(other, _), _| *other != worker);
        if self.counts.len() < before {
            self.spared.insert(worker.slot);
        } else if !served {
            // Being spared did not help either.
            self.spared.remove(&worker.slot);
        }
    }
}

//! What has waited for a while behind a worker that is in the midst of something goes to others as soon as one of them
//! waits for work; the busy one gets no more before it has time. It sees no worker run: it asks for a glance, and is told.

use super::balancer::Balancer;
use super::deadlines::after;
use super::lane::{Count, Flow, Gate, Lane, Lanes};
use super::pool::Pool;
use super::{Deadline, Output, Policy, Settings, Timer};
use crate::ids::{BalancerId, LaneId};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A worker of which nothing can be seen is not glanced at again before.
const BLIND: Duration = Duration::from_secs(1);

/// What the threads of a worker that serve are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It cannot be seen.
    Unknown,
    /// One of them waits for something to do.
    Waiting,
    /// All of them run, and have for at least this long.
    Running(Duration),
}

/// What the last glance at a lane's worker showed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Glance {
    at: Option<Instant>,
    /// One has been ordered and not been answered.
    asked: bool,
    /// It has been running for long, and has taken nothing since.
    busy: bool,
    /// It waited, and nothing waited for it.
    idle: bool,
    blind_until: Option<Instant>,
}

impl Glance {
    fn see(&mut self, now: Instant, activity: Activity, waiting: u64, limit: Duration) {
        self.at = Some(now);
        self.asked = false;
        self.busy = matches!(activity, Activity::Running(time) if time >= limit);
        self.idle = activity == Activity::Waiting && waiting == 0;
        self.blind_until = (activity == Activity::Unknown).then(|| after(now, BLIND));
    }

    /// Orders one, unless that has been done.
    fn ask(&mut self, lane: LaneId, outbox: &mut VecDeque<Output>) {
        if !std::mem::replace(&mut self.asked, true) {
            outbox.push_back(Output::Glance { lane });
        }
    }

    /// Something waits for it now.
    pub(super) fn gave(&mut self) {
        self.idle = false;
    }

    /// It has received something.
    pub(super) fn moved(&mut self) {
        (self.busy, self.idle) = (false, false);
    }
}

impl Settings {
    /// What waits may go elsewhere. Where a source has its worker it stays.
    fn steal_after(&self) -> Option<Duration> {
        self.steal_after.filter(|_| self.policy != Policy::SourceHash)
    }
}

impl Balancer {
    /// A connection was dispatched: if it still waits after a while, that is noticed.
    pub(super) fn glance_later(&mut self, now: Instant, settings: &Settings) -> Option<Deadline> {
        let at = after(now, settings.steal_after()?);
        self.glance_no_later(at)
    }

    fn glance_no_later(&mut self, at: Deadline) -> Option<Deadline> {
        let sooner = self.glance_at.is_none_or(|other| at < other);
        if sooner {
            self.glance_at = Some(at);
        }
        sooner.then_some(at)
    }

    /// The lane behind a worker just seen to be busy in which a connection has waited for longest.
    fn longest(&self, now: Instant, lanes: &Lanes) -> Option<LaneId> {
        let own = lanes.iter().filter(|(_, lane)| lane.balancer() == self.id() && lane.may_give_up());
        let busy = own.filter(|(_, lane)| lane.glance.busy && lane.glance.at == Some(now));
        busy.min_by_key(|(_, lane)| lane.waiting_since()).map(|(id, _)| *id)
    }
}

impl Lane {
    /// A connection waits in it that could go elsewhere.
    fn may_give_up(&self) -> bool {
        self.holds() > 0
            && matches!(self.gate, Gate::Open | Gate::AtLimit)
            && matches!(self.flow, Flow::Ready | Flow::Full)
    }

    /// When its worker is to be glanced at, if something waits for it.
    fn glance_due(&self, settings: &Settings) -> Option<Deadline> {
        let limit = settings.steal_after()?;
        let since = self.waiting_since().filter(|_| self.may_give_up())?;
        let again = self.glance.at.map(|at| after(at, limit));
        Some(after(since, limit)).max(again).max(self.glance.blind_until)
    }
}

impl Pool {
    /// Who has kept something waiting for a while is glanced at.
    pub(super) fn glance_timers(&mut self, now: Instant) {
        let Self { balancers, lanes, settings, outbox, .. } = self;
        for (&id, balancer) in balancers.iter_mut().filter(|(_, b)| b.glance_at.is_some_and(|at| at <= now)) {
            balancer.glance_at = None;
            for (&lane_id, lane) in lanes.iter_mut().filter(|(_, lane)| lane.balancer() == id) {
                match lane.glance_due(settings) {
                    Some(at) if at <= now => lane.glance.ask(lane_id, outbox),
                    Some(at) => {
                        balancer.glance_no_later(at);
                    }
                    None => {}
                }
            }
        }
    }

    /// The answer to a glance: what the worker is about, and how many wait in the lane.
    pub(super) fn glanced(&mut self, now: Instant, id: LaneId, activity: Activity, waiting: u32) {
        let Some(limit) = self.settings.steal_after() else { return };
        let was = self.lanes.get(&id).map(|lane| lane.flow);
        let Some(balancer) = self.observe(now, id, waiting, Count::AtMost) else { return };
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.glance.see(now, activity, lane.holds(), limit);
        let (is, due) = (lane.flow, lane.glance_due(&self.settings));
        if is == Flow::Full && was != Some(is) {
            self.outbox.push_back(Output::Watch { lane: id });
        }
        if let Some(balancer) = self.balancers.get_mut(&balancer)
            && let Some(at) = due.and_then(|at| balancer.glance_no_later(at))
        {
            self.deadlines.lower(at, Timer::Glance);
        }
        self.seek(now, balancer);
        self.pump(now, balancer);
    }

    /// Looks for somebody who has time for what waits behind a worker that takes long.
    fn seek(&mut self, now: Instant, id: BalancerId) {
        let Self { balancers, lanes, outbox, .. } = self;
        let Some(balancer) = balancers.get_mut(&id).filter(|balancer| balancer.held() == 0) else { return };
        let Some(from) = balancer.longest(now, lanes) else { return };
        for place in &balancer.rotation {
            let Some(lane) = lanes.get_mut(&place.lane).filter(|lane| !lane.glance.busy) else { continue };
            if lane.glance.at != Some(now) {
                // The answer brings us back here.
                return lane.glance.ask(place.lane, outbox);
            }
            if lane.glance.idle {
                if let Some(lane) = lanes.get_mut(&from) {
                    lane.give_up();
                }
                balancer.leave(from);
                outbox.push_back(Output::TakeBack { lane: from });
                outbox.push_back(Output::Watch { lane: from });
                return;
            }
        }
    }
}

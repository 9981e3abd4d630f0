//! What waits behind a worker that has been running for long goes to one that has time, the oldest first.
//! It sees no worker run: it asks for a glance, and is told.

use super::balancer::{Balancer, Held, Place};
use super::deadlines::after;
use super::lane::{Count, Flow, Gate, Lane, Lanes};
use super::pool::Pool;
use super::{Deadline, Output, Policy, Settings, Timer};
use crate::ids::{BalancerId, LaneId};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A worker of which nothing can be seen is not glanced at again before.
const BLIND: Duration = Duration::from_secs(1);
/// A worker is quick that takes its next connection within this fraction of the time after which one is taken from it.
const QUICK: u32 = 4;

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
    /// What was left when all was taken away from it is a void record, which it has not received.
    pub(super) void: bool,
    blind_until: Option<Instant>,
    /// From the last time that it was seen to have received something, while more waited, to the next.
    pace: Option<Duration>,
    /// When an older one last went before what came for it.
    yielded: Option<Instant>,
}

impl Glance {
    fn see(&mut self, now: Instant, activity: Activity, waiting: u32, limit: Duration) {
        self.at = Some(now);
        self.asked = false;
        self.busy = matches!(activity, Activity::Running(time) if time >= limit);
        self.idle = activity == Activity::Waiting && waiting == 0;
        self.blind_until = (activity == Activity::Unknown).then(|| after(now, BLIND));
    }

    /// Orders one, unless that has been done.
    pub(super) fn ask(&mut self, lane: LaneId, outbox: &mut VecDeque<Output>) {
        if !std::mem::replace(&mut self.asked, true) {
            outbox.push_back(Output::Glance { lane });
        }
    }

    /// Something waits for it now.
    pub(super) fn gave(&mut self) {
        self.idle = false;
    }

    /// It has received something; something had waited, without that, since then.
    pub(super) fn moved(&mut self, now: Instant, since: Option<Instant>) {
        (self.busy, self.idle, self.void) = (false, false, false);
        self.pace = since.map(|since| now.saturating_duration_since(since));
    }

    /// It receives one after the other in no time: what it has is no reason not to give it more, and what goes before
    /// is not worth much work.
    fn is_quick(&self, settings: &Settings) -> bool {
        self.pace.zip(settings.steal_after).is_some_and(|(pace, limit)| pace < limit / QUICK)
    }

    fn has_just_yielded(&self, now: Instant, settings: &Settings) -> bool {
        let pause = settings.steal_after.unwrap_or_default() / QUICK;
        self.yielded.is_some_and(|at| now < after(at, pause))
    }

    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// It was busy, and may not be any more.
    fn is_doubtful(&self, now: Instant, settings: &Settings) -> bool {
        self.busy && !self.is_fresh(now, settings)
    }

    fn is_fresh(&self, now: Instant, settings: &Settings) -> bool {
        let old = |at| settings.steal_after.is_none_or(|limit| after(at, limit) <= now);
        self.at == Some(now) || self.at.is_some_and(|at| !old(at))
    }

    /// Who comes first where some are busy; who is in doubt is asked before anybody is passed over.
    fn rank(&self, now: Instant, settings: &Settings) -> u64 {
        match self {
            _ if self.is_doubtful(now, settings) => 0,
            _ if self.idle && self.at == Some(now) => 1,
            _ if !self.busy => 2,
            _ => 3,
        }
    }
}

/// What comes before a connection is dispatched to the lane that was picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    Nothing,
    /// Ask about this lane, and wait for the answer.
    Ask(LaneId),
    /// It has taken the place of an older one, which comes back and goes before others.
    Swapped,
}

impl Settings {
    /// What waits may go elsewhere. Where a source has its worker it stays.
    fn steal_after(&self) -> Option<Duration> {
        self.steal_after.filter(|_| self.policy != Policy::SourceHash)
    }
}

impl Balancer {
    /// Connections that may wait in the lane now. While a worker takes long it is one each, so that what cannot go
    /// elsewhere yet keeps its order, but for those who are quick.
    pub(super) fn window(&self, lane: &Lane, settings: &Settings) -> u32 {
        if self.stalled.is_empty() || lane.glance.is_quick(settings) { settings.window } else { 1 }
    }

    /// Forgets the stalled lanes that are so no more.
    pub(super) fn recount_stalled(&mut self, lanes: &mut Lanes) {
        if !self.stalled.is_empty() {
            self.stalled.retain(|id| lanes.get_mut(id).is_some_and(Lane::stays_stalled));
        }
    }

    /// How late in its turn a lane comes, while some are stalled.
    pub(super) fn rank(&self, now: Instant, place: &Place, settings: &Settings, lanes: &Lanes) -> u64 {
        lanes.get(&place.lane).map_or(u64::MAX, |lane| lane.glance.rank(now, settings))
    }

    /// Before the next connection goes to the lane, who waits behind a worker that takes long goes there: the next one
    /// takes the place of that one, so that a worker that is done finds something to do at once.
    pub(super) fn older_first(
        &mut self,
        now: Instant,
        to: LaneId,
        settings: &Settings,
        lanes: &mut Lanes,
        outbox: &mut VecDeque<Output>,
    ) -> First {
        let doubtful = |id: &LaneId| lanes.get(id).is_some_and(|lane| lane.glance.is_doubtful(now, settings));
        if doubtful(&to) {
            return First::Ask(to);
        }
        let glance = lanes.get(&to).map(|lane| lane.glance);
        let unfit = glance.is_none_or(|glance| glance.busy || glance.has_just_yielded(now, settings));
        // With a limit on connections, one more could be too many if the worker took them all just now.
        if unfit || !self.returned.is_empty() || settings.max_connections.is_some() {
            return First::Nothing;
        }
        let Some(from) = self.longest(lanes, |lane| lane.gate == Gate::Open) else { return First::Nothing };
        let Some(lane) = lanes.get_mut(&from) else { return First::Nothing };
        if lane.glance.at != Some(now) {
            return First::Ask(from);
        }
        let Some(Held { conn, .. }) = self.accepted.pop_front() else { return First::Nothing };
        let turn = self.last_turn();
        // Something waits in the lane: it is being looked at already.
        let _ = lane.dispatch(now, conn, settings);
        lane.give_up_older();
        lane.turn = turn;
        let worker = lane.worker();
        if let Some(place) = self.rotation.iter().position(|place| place.lane == from) {
            self.rotation.remove(place);
            self.rotation.push_back(Place { turn, lane: from, worker });
        }
        if let Some(lane) = lanes.get_mut(&to) {
            lane.glance.yielded = Some(now);
        }
        outbox.push_back(Output::TakeOldest { lane: from, instead: Some(conn) });
        First::Swapped
    }

    /// The stalled lane in which a connection has waited for longest.
    fn longest(&self, lanes: &Lanes, fit: impl Fn(&Lane) -> bool) -> Option<LaneId> {
        let stalled = self.stalled.iter().filter_map(|id| Some((*id, lanes.get(id)?)));
        let waiting = stalled.filter(|(_, lane)| lane.is_stalled() && lane.holds() > 0 && fit(lane));
        waiting.min_by_key(|(_, lane)| lane.waiting_since()).map(|(id, _)| id)
    }

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
}

impl Lane {
    /// Its worker was seen to be busy for long.
    pub(super) fn is_stalled(&self) -> bool {
        self.glance.is_busy()
            && matches!(self.gate, Gate::Open | Gate::AtLimit)
            && matches!(self.flow, Flow::Ready | Flow::Full)
    }

    /// The same; what is not to be given anything is forgotten.
    fn stays_stalled(&mut self) -> bool {
        self.glance.busy = self.is_stalled();
        self.glance.busy
    }

    /// When its worker is to be glanced at, if something waits for it.
    fn glance_due(&self, settings: &Settings) -> Option<Deadline> {
        let limit = settings.steal_after()?;
        let fit = matches!(self.gate, Gate::Open | Gate::AtLimit)
            && !matches!(self.flow, Flow::Suspect | Flow::Left);
        let since = self.waiting_since().filter(|_| fit && self.holds() > 0)?;
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
        let waiting = lane.waiting(waiting);
        lane.glance.see(now, activity, waiting, limit);
        let (is, stalled) = (lane.flow, lane.stays_stalled());
        let due = lane.glance_due(&self.settings);
        if is == Flow::Full && was != Some(is) {
            self.outbox.push_back(Output::Watch { lane: id });
        }
        if let Some(balancer) = self.balancers.get_mut(&balancer) {
            balancer.recount_stalled(&mut self.lanes);
            if stalled && !balancer.stalled.contains(&id) {
                balancer.stalled.push(id);
            }
            if let Some(at) = due.and_then(|at| balancer.glance_no_later(at)) {
                self.deadlines.lower(at, Timer::Glance);
            }
        }
        self.seek(now, balancer);
        self.pump(now, balancer);
    }

    /// Looks for somebody who has time for what waits behind a worker that takes long.
    fn seek(&mut self, now: Instant, id: BalancerId) {
        let Self { balancers, lanes, settings, outbox, .. } = self;
        let Some(balancer) = balancers.get(&id).filter(|balancer| balancer.held() == 0) else { return };
        let fresh = |lane: &Lane| lane.glance.is_fresh(now, settings);
        let Some(from) = balancer.longest(lanes, fresh) else { return };
        for place in &balancer.rotation {
            let Some(lane) = lanes.get_mut(&place.lane).filter(|lane| !lane.glance.busy) else { continue };
            if lane.glance.at != Some(now) {
                // The answer brings us back here.
                return lane.glance.ask(place.lane, outbox);
            }
            if lane.glance.idle {
                if let Some(lane) = lanes.get_mut(&from) {
                    lane.give_up_oldest();
                }
                outbox.push_back(Output::TakeOldest { lane: from, instead: None });
                return;
            }
        }
    }
}

//! Lanes that are given one connection at a time because their requests are long: looks at the pulse pages for who has such
//! and who is in one, asks threads to say when they wait again, and hears them. What follows from that is the core's.

use super::super::Shell;
use super::super::connections::giving::arm;
use super::super::os::Os;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::lanes::lane::Lane;
use crate::io::lanes::pulse::Pulse;
use crate::pool::{Input, Policy};
use std::collections::HashMap;
use std::time::Duration;

impl<O: Os> Shell<O> {
    /// Looks how long requests are, and tells the core where that has changed. A thread that has been away from its wait
    /// for `late` or longer is not waited for: that it lags says more than that it is in a request.
    pub(in crate::event_loop) fn look_at_requests(&mut self, late: Duration) {
        // Where the source says who is meant, nobody else may be given it because that one is busy.
        if self.pool.settings().balancing.policy == Policy::SourceHash {
            return;
        }
        let now = self.os.monotonic();
        for pulse in self.lives.iter_mut().flat_map(|(_, life)| &mut life.process.pulses) {
            let pid = pulse.pid;
            match pulse.sole() {
                Some(look) if Duration::from_nanos(look.away(now)) < late => {
                    pulse.requests.look(&look, now, || self.os.spent(pid, look.tid));
                }
                Some(_) | None => pulse.requests.forget(),
            }
        }
        let mut lanes: HashMap<BalancerId, u32> = HashMap::new();
        for lane in self.lanes.all.values() {
            *lanes.entry(lane.balancer).or_default() += 1;
        }
        let is = |lane: &Lane| {
            // For one alone it would only mean to wait for less.
            lanes.get(&lane.balancer).is_some_and(|lanes| *lanes > 1)
                && self.pulse_of(lane).is_some_and(|pulse| pulse.requests.are_long())
        };
        let changed = self.lanes.all.iter().map(|(id, lane)| (*id, lane.one_by_one, is(lane)));
        let changed: Vec<(LaneId, bool)> =
            changed.filter(|(_, was, is)| was != is).map(|(id, _, is)| (id, is)).collect();
        for (lane, on) in changed {
            self.one_by_one(lane, on);
            self.carry_out();
        }
        let takes = self.lanes.all.iter().filter(|(_, lane)| lane.takes_credit());
        let accepting: Vec<LaneId> = takes.map(|(id, _)| *id).collect();
        for lane in accepting {
            self.tell_accepters(lane);
        }
        let prompt = self.lanes.all.values().any(|lane| lane.one_by_one);
        if prompt != self.health.is_prompt {
            self.health.is_prompt = prompt;
            self.launching.limits.be_prompt(prompt);
        }
    }

    /// What waits in the lane; one by one, what is being served waits too, and more need not be known.
    pub(in crate::event_loop) fn waiting(&self, lane: &Lane) -> u32 {
        if lane.one_by_one && !self.is_free(lane) { 1 } else { lane.waiting() }
    }

    /// The thread waits, and has begun to since it was last given something: one that has just taken that may not have
    /// come to say that it waits no longer.
    fn is_free(&self, lane: &Lane) -> bool {
        self.pulse_of(lane)
            .and_then(Pulse::sole)
            .is_none_or(|look| !look.running && Some(look.loops) != lane.given_at)
    }

    /// How often the lane's thread has waited, if it is given one at a time: to be read before it is given something.
    pub(in crate::event_loop) fn waits_so_far(&self, id: LaneId) -> Option<u64> {
        let lane = self.lanes.all.get(&id).filter(|lane| lane.one_by_one)?;
        self.pulse_of(lane).and_then(Pulse::sole).map(|look| look.loops)
    }

    /// The lane was given something when its thread had waited so often. What it did not take does not count: its thread would be
    /// taken to be busy with it for as long as it sleeps.
    pub(in crate::event_loop) fn mark_given(&mut self, id: LaneId, waits: Option<u64>) {
        if let Some(lane) = self.lanes.all.get_mut(&id).filter(|lane| lane.one_by_one) {
            lane.given_at = waits;
        }
    }

    /// The thread of a lane that is given one by one is to say when it waits. False if it cannot.
    pub(in crate::event_loop) fn watch_thread(&mut self, id: LaneId) -> bool {
        let Some(lane) = self.lanes.all.get(&id).filter(|lane| lane.one_by_one) else { return false };
        let fd = u32::try_from(lane.holder.fd);
        if !fd.is_ok_and(|fd| self.pulse_of(lane).is_some_and(|pulse| pulse.ask(fd))) {
            self.one_by_one(id, false);
            return false;
        }
        // Looked at after it was asked: a thread that went into its wait before that does not answer.
        if self.waiting(lane) == 0 {
            self.measured(id);
        }
        true
    }

    /// The process that holds the lane says that its thread goes into its wait. It is not free yet where it has not taken
    /// what it was given: that is about to wake it.
    pub(super) fn on_waits(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.all.get(&id) else { return };
        let (worker, pid) = (lane.worker, lane.holder.pid);
        if let Some(pulse) = self.pulse_mut(worker, pid) {
            pulse.requests.heard();
        }
        let its = |lane: &Lane| lane.holder.pid == pid && lane.one_by_one && lane.watched;
        let watched: Vec<LaneId> =
            self.lanes.all.iter().filter(|(_, lane)| its(lane)).map(|(id, _)| *id).collect();
        for lane in watched {
            self.measured(lane);
        }
    }

    /// A lane is looked at: a thread that waits by now has not been heard. Where nothing lies in the lane any more, a thread that
    /// has waited ever since it was given something was not woken by it.
    pub(super) fn look_for_missed(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.all.get_mut(&id) else { return };
        let (worker, pid) = (lane.worker, lane.holder.pid);
        if lane.one_by_one && lane.waiting() == 0 {
            lane.given_at = None;
        }
        let Some(lane) = self.lanes.all.get(&id) else { return };
        if lane.one_by_one && lane.watched && self.waiting(lane) == 0 {
            if let Some(pulse) = self.pulse_mut(worker, pid) {
                pulse.requests.missed();
            }
            self.measured(id);
        }
    }

    fn one_by_one(&mut self, id: LaneId, on: bool) {
        let Some(lane) = self.lanes.all.get_mut(&id) else { return };
        (lane.one_by_one, lane.given_at) = (on, None);
        if on && lane.armed && arm(&self.poll, id, lane, false).is_ok() {
            lane.armed = false;
        }
        let watched = lane.watched;
        self.pool.handle(self.now, Input::OneByOne { lane: id, on });
        if watched {
            // Watched anew where that is not the end of it.
            self.measured(id);
        }
    }

    fn measured(&mut self, id: LaneId) {
        if let Some(lane) = self.lanes.all.get_mut(&id) {
            lane.watched = false;
        }
        self.measure(id);
    }

    fn pulse_of(&self, lane: &Lane) -> Option<&Pulse> {
        let process = self.lives.process(lane.worker)?;
        process.pulses.iter().find(|pulse| pulse.pid == lane.holder.pid)
    }

    fn pulse_mut(&mut self, worker: WorkerId, pid: u32) -> Option<&mut Pulse> {
        self.lives.process_mut(worker)?.pulses.iter_mut().find(|pulse| pulse.pid == pid)
    }
}
